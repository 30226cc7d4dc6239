import * as holdfast from 'holdfast';
import { expect, test } from 'vitest';
import { suite } from '../suite.mjs';

suite({ test, expect }, holdfast, process.env['RUNNER']);
