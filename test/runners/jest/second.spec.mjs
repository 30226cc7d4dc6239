import { afterAll, beforeAll, expect, test } from '@jest/globals';
import * as holdfast from 'holdfast';
import { suite } from '../suite.mjs';

suite({ afterAll, beforeAll, expect, test }, holdfast, process.env['RUNNER']);
