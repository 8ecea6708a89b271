// Which lane of tests this run is (ADR 0010), from WEIR_TEST_LANE: how often the things that are random are done.

export const LANES = ['quick', 'change', 'long'] as const;
export type Lane = (typeof LANES)[number];

function readLane(text = 'quick'): Lane {
  const lane = LANES.find((name) => name === text);
  if (lane === undefined) throw new Error(`WEIR_TEST_LANE is ${text}; it must be one of ${LANES.join(', ')}`);
  return lane;
}

export const LANE: Lane = readLane(process.env['WEIR_TEST_LANE']);

/** The count of this lane. */
export function countOf(counts: Readonly<Record<Lane, number>>): number {
  return counts[LANE];
}
