import { useEffect } from 'preact/hooks';
import type { SearchPage, SearchResult } from './api.ts';
import { Copyable } from './copyable.tsx';
import { displayLine } from './display-text.ts';
import { countText } from './figures.ts';
import { Moment } from './moment.tsx';
import type { Overview } from './overview.ts';
import { ProblemNote } from './problem-note.tsx';
import { placeOf } from './safe-url.ts';
import { snippetParts } from './snippet.ts';

/** Shown while there are words in the search box. */
export function SearchResults({ overview, clear }: { overview: Overview; clear: () => void }) {
  const search = overview.search.state.value;
  const said = sentenceOf(search);
  useEffect(() => {
    if (said !== '') overview.announce(said);
  }, [said]);
  if (search.state === 'idle') return null;
  const page = search.state === 'found' ? search.page : search.state === 'asking' ? search.before : undefined;
  return (
    <section class="results" aria-labelledby="results-title" aria-busy={search.state === 'asking'}>
      <div class="section-head">
        <h2 id="results-title">{search.state === 'asking' ? 'Searching…' : said}</h2>
        <button type="button" class="quiet-button" onClick={clear}>
          Clear search
        </button>
      </div>
      {search.state === 'failed' ? <ProblemNote problem={search.problem} retry={() => overview.search.now()} /> : null}
      {page === undefined ? null : <ResultList overview={overview} page={page} />}
    </section>
  );
}

function sentenceOf(search: Overview['search']['state']['value']): string {
  switch (search.state) {
    case 'idle':
    case 'asking':
      return '';
    case 'failed':
      return 'The search failed';
    case 'found': {
      const query = displayLine(search.query, 80);
      if (search.page.results.length === 0) return `No match for “${query}”`;
      return `${countText(search.page.total)} ${search.page.total === 1 ? 'document' : 'documents'} for “${query}”`;
    }
  }
}

function ResultList({ overview, page }: { overview: Overview; page: SearchPage }) {
  if (page.results.length === 0)
    return <p class="muted">Search looks for all of the words first, then for any. Quoted words stand together.</p>;
  return (
    <>
      <ol class="result-list">
        {page.results.map((result) => (
          <Result
            key={`${result.tenant}/${result.connector}/${result.stream}/${result.key}`}
            overview={overview}
            result={result}
          />
        ))}
      </ol>
      {page.total > page.results.length ? (
        <p class="muted">
          The best {page.results.length} are shown. More of them in a terminal: <code>weir search --limit 200</code>
        </p>
      ) : null}
    </>
  );
}

function Result({ overview, result }: { overview: Overview; result: SearchResult }) {
  const place = placeOf(result.url, result.line);
  const title = displayLine(result.title === '' ? result.key : result.title);
  return (
    <li>
      <h3>
        {place.as === 'link' ? (
          <a href={place.href} rel="noopener noreferrer" target="_blank">
            {title}
          </a>
        ) : (
          title
        )}
      </h3>
      <p class="snippet">
        {snippetParts(result.snippet).map(({ text, hit }, index) =>
          hit ? <mark key={index}>{text}</mark> : <span key={index}>{text}</span>,
        )}
      </p>
      <p class="result-place muted">
        <span>
          {displayLine(result.connector)} · updated <Moment time={result.time} nowMs={overview.nowMs} />
        </span>
        {place.as === 'file' ? <Copyable text={place.text} overview={overview} /> : null}
      </p>
    </li>
  );
}
