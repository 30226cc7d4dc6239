import { expect, test } from '@jest/globals';
import * as holdfast from 'holdfast';
import { suite } from '../suite.mjs';

suite({ test, expect }, holdfast, process.env['RUNNER']);
