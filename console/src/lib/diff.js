/* Every line of two texts after a blank, '-' (of the first alone) or '+' (of the second), as the API's
 * diff has them. */
export function diffLines(before, after) {
  const a = before.replace(/\n$/, '').split('\n');
  const b = after.replace(/\n$/, '').split('\n');
  /* common[i][j]: most lines that a from i and b from j have in common */
  const common = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
  const out = [];
  let i = 0;
  let j = 0;

  for (let x = a.length - 1; x >= 0; x--)
    for (let y = b.length - 1; y >= 0; y--) common[x][y] = a[x] === b[y] ? common[x + 1][y + 1] + 1 : Math.max(common[x + 1][y], common[x][y + 1]);
  while (i < a.length || j < b.length)
    if (i < a.length && j < b.length && a[i] === b[j]) {
      out.push(` ${a[i++]}`);
      j++;
    } else if (j >= b.length || (i < a.length && common[i + 1][j] >= common[i][j + 1])) out.push(`-${a[i++]}`);
    else out.push(`+${b[j++]}`);
  return out;
}
