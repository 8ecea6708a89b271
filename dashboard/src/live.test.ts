import { describe, expect, it } from 'vitest';
import type { Browser, LiveListener } from './browser.ts';
import { LIVE_LIMITS, createLive } from './live.ts';

/** Only what the live stream uses of a browser; the test plays the network. */
function setUp() {
  const world = {
    nowMs: 1_000_000,
    opened: [] as LiveListener[],
    givenUp: false,
    answers: true,
    caughtUp: 0,
    messages: [] as string[],
  };
  const browser = {
    nowMs: () => world.nowMs,
    openLive(_path: string, _names: readonly string[], listener: LiveListener) {
      world.opened.push(listener);
      return { closed: () => world.givenUp, close: () => undefined };
    },
  } as unknown as Browser; // the rest of the browser is out of reach of live.ts
  const live = createLive(browser, {
    path: '/stream',
    names: ['queue'],
    message: (_name, data) => world.messages.push(data),
    caughtUp: () => (world.caughtUp += 1),
    alive: () => Promise.resolve(world.answers),
  });
  const pass = (ms: number): void => {
    for (let left = ms; left > 0; left -= 1000) {
      world.nowMs += 1000;
      live.tick();
    }
  };
  const newest = (): LiveListener => {
    const listener = world.opened.at(-1);
    if (listener === undefined) throw new Error('no stream was opened');
    return listener;
  };
  live.start();
  return { world, live, pass, newest };
}

describe('live stream', () => {
  it('asks for everything each time it stands again, so that a gap is filled', () => {
    const { world, live, newest } = setUp();
    newest().opened();
    newest().broke(); // the browser connects again by itself
    expect(live.state.value).toBe('lost');
    newest().opened();
    expect([live.state.value, world.caughtUp, world.opened.length]).toEqual(['live', 2, 1]);
  });

  it('opens a new one, ever more patiently, when the browser has given up', () => {
    const { world, live, pass, newest } = setUp();
    world.givenUp = true;
    const waits: number[] = [];
    for (let round = 0; round < 8; round += 1) {
      newest().broke();
      const before = world.nowMs;
      while (world.opened.length === round + 1) pass(1000);
      waits.push(world.nowMs - before);
    }
    expect(waits).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
    newest().opened();
    expect(live.state.value).toBe('live');
  });

  it('a silent stream is kept when the server answers and replaced when it does not', async () => {
    const { world, live, pass, newest } = setUp();
    newest().opened();
    pass(LIVE_LIMITS.silenceMaxMs + 1000);
    await Promise.resolve();
    expect(live.state.value).toBe('live');
    world.answers = false;
    pass(LIVE_LIMITS.silenceMaxMs + 1000);
    await Promise.resolve();
    expect(live.state.value).toBe('lost');
    pass(1000);
    expect(world.opened).toHaveLength(2);
  });

  it('paused means paused: no message, no new connection, no alarm', () => {
    const { world, live, pass, newest } = setUp();
    const old = newest();
    old.opened();
    live.pause();
    old.message('queue', '{}');
    old.broke();
    pass(LIVE_LIMITS.silenceMaxMs * 2);
    expect([live.state.value, world.messages.length, world.opened.length]).toEqual(['paused', 0, 1]);
    live.start();
    expect(world.opened).toHaveLength(2);
  });
});
