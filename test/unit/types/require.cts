// The same types through require(), as CommonJS written in TypeScript sees them.
import holdfast = require('holdfast');

const lock: holdfast.Lock = new holdfast.Lock('orders');
export const value: number = lock.withSync((held) => held.token);
// @ts-expect-error not a string
export const text: string = lock.withSync((held) => held.token);
