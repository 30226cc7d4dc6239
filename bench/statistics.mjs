/** The middle of some numbers. */
export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** `12.3 (11.9 - 14.0)`. */
export function spread(numbers) {
  const [low, high] = [Math.min(...numbers), Math.max(...numbers)];
  return `${median(numbers).toFixed(1)} (${low.toFixed(1)} - ${high.toFixed(1)})`;
}

/** Round by round: `a` in units of `b`. */
export function ratios(a, b) {
  return a.map((value, round) => value / b[round]);
}
