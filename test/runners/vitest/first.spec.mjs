import * as holdfast from 'holdfast';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { suite } from '../suite.mjs';

suite({ afterAll, beforeAll, expect, test }, holdfast, process.env['RUNNER']);
