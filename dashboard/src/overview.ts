// What the Overview knows and can do; the components only show it.
import { batch, computed, effect, signal, type ReadonlySignal, type Signal } from '@preact/signals';
import type { CloudEvent, Connector, ConnectorDrill, ConnectorList, EventPage, QueueStats } from './api.ts';
import type { Browser } from './browser.ts';
import { CLIENT_LIMITS, LIVE_PATH, createClient, fitsConnectors, fitsQueue } from './client.ts';
import { displayText } from './display-text.ts';
import { createLive, type Live } from './live.ts';
import { needsAttention, nextSort, rowKeyOf, type SortColumn } from './order.ts';
import { createPanel, type Panel } from './panel.ts';
import { createRuns, type Runs } from './runs.ts';
import { createSearch, type Search } from './search.ts';
import type { View } from './url-state.ts';

const LIMITS = {
  tickMs: 1_000,
  drillAgeMaxMs: 5_000, // open details are asked for again at most this often
  clockDifferenceMinMs: 2_000, // the Date header has whole seconds
} as const;

export interface OpenDrill {
  readonly key: string;
  readonly panel: Panel<ConnectorDrill>;
}

export interface Overview {
  readonly browser: Browser;
  readonly view: Signal<View>;
  readonly connectors: Panel<ConnectorList>;
  readonly queue: Panel<QueueStats>;
  readonly events: Panel<EventPage>;
  readonly drill: ReadonlySignal<OpenDrill | undefined>;
  readonly live: Live;
  readonly search: Search;
  readonly runs: Runs;
  /** Time of the server's clock, epoch milliseconds, renewed once a second. Ages are computed against it. */
  readonly nowMs: ReadonlySignal<number>;
  /** When data last came, by this browser's clock. */
  readonly dataAtMs: ReadonlySignal<number>;
  /** One polite sentence for screen readers. */
  readonly announcement: ReadonlySignal<string>;
  announce(text: string): void;
  setView(change: Partial<View>): void;
  sortBy(column: SortColumn): void;
  toggleUnhealthyOnly(): void;
  toggleOpen(connector: Connector): void;
  toggleLive(): void;
  refreshAll(): void;
  start(): void;
}

export function createOverview(browser: Browser, initial: View): Overview {
  const view = signal(initial);
  const browserNowMs = signal(browser.nowMs());
  const clockDifferenceMs = signal(0);
  const dataAtMs = signal(browser.nowMs());
  const announcement = signal('');
  const announce = (text: string): void => void (announcement.value = text);
  const setView = (change: Partial<View>): void => void (view.value = { ...view.value, ...change });

  const client = createClient(browser, (serverMs) => {
    const difference = serverMs - browser.nowMs();
    clockDifferenceMs.value = Math.abs(difference) < LIMITS.clockDifferenceMinMs ? 0 : difference;
    dataAtMs.value = browser.nowMs();
  });
  const connectors = createPanel(() => client.connectors());
  const queue = createPanel(() => client.queue());
  const events = createPanel(() => client.events());
  const drill = signal<OpenDrill | undefined>(undefined);
  let drilledAtMs = 0;
  const refreshDrill = (): void => {
    drilledAtMs = browser.nowMs();
    void drill.value?.panel.refresh();
  };
  const refreshAll = (): void => {
    for (const panel of [connectors, queue, events]) void panel.refresh();
    refreshDrill();
  };
  const addEvent = createEventInlet(browser, events);

  const message = (name: string, data: string): void => {
    if (name === 'reload') return refreshAll(); // the server could not send the whole gap
    // Total: what does not parse or fit is left out, the next refresh brings the truth.
    const body = parsed(data);
    if (body === undefined) return;
    dataAtMs.value = browser.nowMs();
    // Each topic has one shape, the same as its GET (api.ts); `fits` guards what the page would stumble over.
    if (name === 'connectors' && fitsConnectors(body as ConnectorList)) {
      connectors.put(body as ConnectorList);
      if (browser.nowMs() - drilledAtMs > LIMITS.drillAgeMaxMs) refreshDrill();
    } else if (name === 'queue' && fitsQueue(body as QueueStats)) queue.put(body as QueueStats);
    else if (name === 'event' && typeof (body as CloudEvent).id === 'string') addEvent(body as CloudEvent);
  };
  const live = createLive(browser, {
    path: LIVE_PATH,
    names: ['connectors', 'queue', 'event', 'reload'],
    message,
    caughtUp: refreshAll,
    alive: () => queue.refresh(),
  });

  const open = computed(() => view.value.open);
  const openConnector = computed(
    () => connectors.state.value.value?.connectors.find((one) => rowKeyOf(one) === open.value)?.name,
  );
  const follow = (): void => {
    effect(() => {
      const key = open.value;
      const name = openConnector.value;
      if (key === undefined || name === undefined) drill.value = undefined;
      else if (drill.peek()?.key !== key) {
        drill.value = { key, panel: createPanel(() => client.drill(name)) };
        drilledAtMs = browser.nowMs();
        void drill.peek()?.panel.refresh();
      }
    });
    effect(() => {
      if (live.state.value === 'lost') announce('Live data lost; trying again.');
    });
    // Spoken when another connector falls ill or gets well, not at each new figure in the sentence.
    const ill = computed(() => {
      const list = connectors.state.value.value;
      return list?.connectors
        .filter(needsAttention)
        .map((one) => `${rowKeyOf(one)} ${one.health.status}`)
        .toSorted()
        .join();
    });
    effect(() => {
      if (ill.value !== undefined) announce(displayText(connectors.state.peek().value?.summary ?? ''));
    });
  };

  return {
    browser,
    view,
    connectors,
    queue,
    events,
    drill,
    live,
    search: createSearch(
      browser,
      client,
      computed(() => view.value.query),
    ),
    runs: createRuns(client, announce, () => {
      void connectors.refresh();
      refreshDrill();
    }),
    nowMs: computed(() => browserNowMs.value + clockDifferenceMs.value),
    dataAtMs,
    announcement,
    announce,
    setView,
    sortBy: (column) => setView({ sort: nextSort(view.value.sort, column) }),
    toggleUnhealthyOnly() {
      setView({ unhealthyOnly: !view.value.unhealthyOnly });
      announce(view.value.unhealthyOnly ? 'Showing unhealthy connectors only.' : 'Showing all connectors.');
    },
    toggleOpen: (connector) =>
      setView({ open: view.value.open === rowKeyOf(connector) ? undefined : rowKeyOf(connector) }),
    toggleLive() {
      const paused = live.state.value === 'paused';
      if (paused) live.start();
      else live.pause();
      announce(paused ? 'Live again.' : 'Paused.');
    },
    refreshAll,
    start() {
      follow();
      refreshAll();
      live.start();
      browser.every(LIMITS.tickMs, () => {
        if (browser.visible()) browserNowMs.value = browser.nowMs();
        live.tick();
      });
    },
  };
}

/** Events may come by the hundred per second: they are shown once per frame, and never more than fit the list. */
function createEventInlet(browser: Browser, events: Panel<EventPage>): (event: CloudEvent) => void {
  let waiting: CloudEvent[] = [];
  const flush = (): void =>
    batch(() => {
      const page = events.state.value.value;
      const fresh = new Set(waiting.map(({ id }) => id));
      const items = [...waiting, ...(page?.items ?? []).filter(({ id }) => !fresh.has(id))].slice(
        0,
        CLIENT_LIMITS.eventsShown,
      );
      waiting = [];
      events.put({ schemaVersion: 1, next_cursor: null, ...page, items });
    });
  return (event) => {
    if (waiting.length === 0) browser.nextFrame(flush);
    waiting = [event, ...waiting.filter(({ id }) => id !== event.id)].slice(0, CLIENT_LIMITS.eventsShown);
  };
}

function parsed(data: string): object | undefined {
  try {
    const body: unknown = JSON.parse(data);
    return typeof body === 'object' && body !== null ? body : undefined;
  } catch {
    return undefined;
  }
}
