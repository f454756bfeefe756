/** How many letters must be put in, left out or replaced to make one word of the other, up to `most`. */
function distance(a: string, b: string, most: number): number {
  if (Math.abs(a.length - b.length) > most) return most + 1;
  let row = Array.from({ length: b.length + 1 }, (_all, at) => at);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[b.length]!;
}

/** The name that was probably meant, or undefined when none is near. */
export function nearest(name: string, names: Iterable<string>): string | undefined {
  const wanted = name.toLowerCase().slice(0, 100);
  let best: { name: string; far: number } | undefined;
  const most = Math.max(2, Math.floor(wanted.length / 3));
  for (const candidate of names) {
    if (candidate === name) continue;
    const far = distance(wanted, candidate.toLowerCase(), most);
    if (far <= most && (best === undefined || far < best.far)) best = { name: candidate, far };
  }
  // What only lacks the name of the object in front is meant even when it is far from it in letters.
  return best?.name ?? [...names].find((candidate) => candidate.endsWith(`.${wanted}`));
}

/** `; did you mean x?`, or nothing. */
export function suggestion(name: string, names: Iterable<string>): string {
  const found = nearest(name, names);
  return found === undefined ? '' : `; did you mean "${found}"?`;
}
