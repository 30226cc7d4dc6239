/**
 * What shared memory consists of: the element types, and the checks on what goes into them.
 *
 * @internal
 */
import { invalidRange, invalidType, shown } from './arguments.js';

/** The typed array of each type. */
export interface ElementArrays {
  int8: Int8Array;
  uint8: Uint8Array;
  int16: Int16Array;
  uint16: Uint16Array;
  int32: Int32Array;
  uint32: Uint32Array;
  int64: BigInt64Array;
  uint64: BigUint64Array;
  float32: Float32Array;
  float64: Float64Array;
}

/** The types of a SharedValue, and of a SharedArray's elements. */
export type ElementType = keyof ElementArrays;

/** What JavaScript has for a value of the type: a `bigint` for 64-bit integers, else a `number`. */
export type ElementValue<T extends ElementType> = T extends 'int64' | 'uint64' ? bigint : number;

/** The types of which one number can be read and changed in one step. */
export type IntegerType = Exclude<ElementType, 'float32' | 'float64'>;

/** The types of which one number can be waited for. */
export type WaitableType = 'int32' | 'uint32' | 'int64' | 'uint64';

/** The value of an integer type. There is none of another: what takes or gives it would throw. */
export type IntegerValue<T extends ElementType> = T extends IntegerType ? ElementValue<T> : never;

/** The value of a type of 32 or 64 bits that is no float. There is none of another: what takes it would throw. */
export type WaitableValue<T extends ElementType> = T extends WaitableType ? ElementValue<T> : never;

/** The typed array over elements of the type. */
export type ElementArray<T extends ElementType> = ElementArrays[T];

/** One row of the table. */
export interface Element {
  readonly type: ElementType;
  /** In the region: the same as in `native/region/data_file.cc`. */
  readonly code: number;
  readonly bytes: number;
  readonly isInteger: boolean;
  readonly isBig: boolean;
  /** Of an integer type: what it can hold. */
  readonly min: number | bigint;
  readonly max: number | bigint;
  /** The least that bits of its width can stand for: also of an unsigned type, as `~1` is -2. */
  readonly leastBits: number | bigint;
  readonly Array: new (
    buffer: ArrayBuffer,
    offset?: number,
    length?: number,
  ) => ElementArrays[ElementType];
}

function integer(type: ElementType, code: number, bytes: number, of: Element['Array']): Element {
  const bits = BigInt(8 * bytes);
  const isBig = bytes === 8;
  const isSigned = type.startsWith('int');
  const sized = (value: bigint): number | bigint => (isBig ? value : Number(value));
  const least = -(1n << (bits - 1n));
  return {
    type,
    code,
    bytes,
    isInteger: true,
    isBig,
    min: sized(isSigned ? least : 0n),
    max: sized(isSigned ? -least - 1n : (1n << bits) - 1n),
    leastBits: sized(least),
    Array: of,
  };
}

function float(type: ElementType, code: number, bytes: number, of: Element['Array']): Element {
  const nothing = { isInteger: false, isBig: false, min: 0, max: 0, leastBits: 0 };
  return { type, code, bytes, ...nothing, Array: of };
}

const elements: readonly Element[] = [
  integer('int8', 1, 1, Int8Array),
  integer('uint8', 2, 1, Uint8Array),
  integer('int16', 3, 2, Int16Array),
  integer('uint16', 4, 2, Uint16Array),
  integer('int32', 5, 4, Int32Array),
  integer('uint32', 6, 4, Uint32Array),
  integer('int64', 7, 8, BigInt64Array),
  integer('uint64', 8, 8, BigUint64Array),
  float('float32', 9, 4, Float32Array),
  float('float64', 10, 8, Float64Array),
];

/** The row of a type by its name. */
export function elementOf(type: unknown): Element {
  const found = elements.find((element) => element.type === type);
  if (found !== undefined) return found;
  const known = elements.map((element) => element.type).join(', ');
  const message = `"type" must be one of ${known}, not ${shown(type)}`;
  throw typeof type === 'string' ? invalidRange(message) : invalidType(message);
}

/** The row of a type by its code in the region; `undefined`: no type has it. */
export function elementOfCode(code: number): Element | undefined {
  return elements.find((element) => element.code === code);
}

/** Refuses what the type cannot hold: nothing is wrapped or cut silently. */
export function checkValue(element: Element, value: unknown): void {
  checkBetween(element, value, element.min);
}

/** Refuses an operand of `add`, `and` and the like: any bits of the type's width, signed or not. */
export function checkBits(element: Element, value: unknown): void {
  checkBetween(element, value, element.leastBits);
}

function checkBetween(element: Element, value: unknown, min: number | bigint): void {
  const wanted = element.isBig ? 'bigint' : 'number';
  if (typeof value !== wanted) {
    const example = element.isBig ? ' such as 1n' : '';
    throw invalidType(`a value of ${element.type} is a ${wanted}${example}, not ${shown(value)}`);
  }
  if (!element.isInteger) return;
  const number = value as number | bigint;
  const isWhole = typeof number === 'bigint' || Number.isInteger(number);
  if (isWhole && number >= min && number <= element.max) return;
  throw invalidRange(
    `${element.type} holds integers from ${min} to ${element.max}, not ${shown(value)}`,
  );
}
