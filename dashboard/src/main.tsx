// Composition root: address → view → page. Everything the page does starts here.
import { effect } from '@preact/signals';
import { render } from 'preact';
import { App } from './app.tsx';
import { browser } from './browser.ts';
import { createOverview } from './overview.ts';
import { searchOf, viewOf } from './url-state.ts';

const root = document.getElementById('app');
if (root === null) throw new Error('index.html has no element with the id app');

const overview = createOverview(browser, viewOf(location.search));

// Replaced, not pushed: typing three words must not take thirty presses of Back.
effect(() => {
  const search = searchOf(overview.view.value, location.search);
  if (search !== location.search) history.replaceState(null, '', `${location.pathname}${search}${location.hash}`);
});
window.addEventListener('popstate', () => (overview.view.value = viewOf(location.search)));

render(<App overview={overview} />, root);
overview.start();
