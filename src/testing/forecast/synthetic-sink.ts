import { Fault } from '#core/fault.ts';
import type { BuiltInSink, Sink, WriteResult } from '#core/sink.ts';
import { sinkTrouble } from './planned-trouble.ts';
import type { SyntheticWorld } from './synthetic-world.ts';

const WRITE_MS = { usual: 5, slow: 10_000 } as const;

/** Stands in for an external sink of the configuration. */
export function syntheticSink(name: string, world: SyntheticWorld): Sink {
  const { clock, onWritten } = world;
  const troubleNow = () => sinkTrouble(world.plan, name, clock.now() - world.startMs, world.random)?.answer;
  const rejected: WriteResult = {
    outcome: 'reject',
    fault: new Fault('sink_rejected', 'refused by the simulated sink'),
  };
  const demandUp = (trouble: ReturnType<typeof troubleNow>): void => {
    if (trouble === 'down') throw new Fault('sink_unavailable', `the simulated sink ${name} is down`);
  };
  return {
    name,
    open: () => Promise.resolve(),
    close: () => Promise.resolve(),
    ping: () => Promise.resolve(demandUp(troubleNow())),
    async write(entries, signal) {
      const trouble = troubleNow();
      demandUp(trouble);
      await clock.sleep(trouble === 'slow' ? WRITE_MS.slow : WRITE_MS.usual, signal);
      signal.throwIfAborted();
      const results = entries.map((): WriteResult => (troubleNow() === 'reject' ? rejected : { outcome: 'written' }));
      onWritten(
        name,
        entries.filter((_, index) => results[index]?.outcome === 'written'),
      );
      if (trouble === 'lost_answer') throw new Fault('upstream_timeout', `no answer of the simulated sink ${name}`);
      return results;
    },
  };
}

/** The sinks of the store, which can be planned to be down only. */
export function troubledBuiltIn<Built extends BuiltInSink>(sink: Built, world: SyntheticWorld): Built {
  const apply: BuiltInSink['apply'] = async (partition, entries, fence) => {
    const trouble = sinkTrouble(world.plan, sink.name, world.clock.now() - world.startMs, world.random)?.answer;
    if (trouble === 'slow') await world.clock.sleep(WRITE_MS.slow);
    else if (trouble !== undefined) throw new Fault('storage_unknown', `the simulated sink ${sink.name} is down`);
    const done = await sink.apply(partition, entries, fence);
    if (done === 'committed') world.onWritten(sink.name, entries);
    return done;
  };
  return new Proxy(sink, { get: (target, name) => (name === 'apply' ? apply : bound(target, name)) });
}

function bound<Target extends object>(target: Target, name: string | symbol): unknown {
  const value: unknown = Reflect.get(target, name, target);
  // A method of a class with private members works on its own object only.
  return typeof value === 'function' ? (value.bind(target) as unknown) : value;
}
