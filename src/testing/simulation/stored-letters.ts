import { DEAD_LETTER_LIMITS, type DeadLetterDetail, type DeadLetterStore } from '#core/dead-letter.ts';

/** Every dead letter that is kept, whole. */
export async function deadLettersOf(
  store: DeadLetterStore,
  tenants: readonly string[],
): Promise<readonly DeadLetterDetail[]> {
  const found: DeadLetterDetail[] = [];
  let beforeId: number | undefined;
  // Bounded by the letters that there are: each page begins after the last one.
  for (;;) {
    const page = await store.list({ tenants }, DEAD_LETTER_LIMITS.listMax, beforeId);
    for (const { id, tenant } of page) {
      const detail = await store.get([tenant], id);
      if (detail !== undefined) found.push(detail);
    }
    beforeId = page.at(-1)?.id;
    if (page.length < DEAD_LETTER_LIMITS.listMax) return found;
  }
}
