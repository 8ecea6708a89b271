import { Argument, Option, type Command } from 'commander';
import { toCount, toId } from './arguments.ts';
import type { Declare } from './program.ts';

const REPLAY_HELP = `Examples:
  weir dlq replay 17 18
  weir dlq replay --sink crm --code sink_rejected --dry-run
  weir dlq replay --all --yes

`;

const EDIT_HELP = `Examples:
  weir dlq show 17 --json | jq .payload > event.json
  weir dlq edit 17 --file event.json
  weir dlq edit 17 --reset

`;

export function declareDeadLetters(program: Command, action: Declare): void {
  const dlq = program.command('dlq').description('dead letters: what a sink or parser could not take');
  withFilters(dlq.command('list').description('by cause, then the newest ones'))
    .addOption(new Option('--limit <n>', 'at most so many letters').argParser(toCount).default(20))
    .addOption(new Option('--before <id>', 'only letters older than this one').argParser(toId))
    .option('--group', 'only by cause')
    .addHelpText('before', 'Examples:\n  weir dlq list\n  weir dlq list --connector wiki --code record_invalid\n\n')
    .action(action(async () => (await import('./commands/dlq.ts')).list));
  dlq
    .command('show')
    .description('one letter: contents, every try, what to do')
    .addArgument(new Argument('<id>', 'number of the letter').argParser(toId))
    .action(action(async () => (await import('./commands/dlq.ts')).show));
  withSelection(dlq.command('replay').description('offer letters to their sinks again'))
    .addHelpText('before', REPLAY_HELP)
    .action(action(async () => (await import('./commands/dlq-change.ts')).replay));
  dlq
    .command('edit')
    .description('change what a replay sends')
    .addArgument(new Argument('<id>', 'number of the letter').argParser(toId))
    .option('--file <file>', 'the whole event as JSON; - reads standard input')
    .option('--reset', 'send the first contents again')
    .addHelpText('before', EDIT_HELP)
    .action(action(async () => (await import('./commands/dlq-change.ts')).edit));
  withSelection(dlq.command('discard').description('remove letters for good'))
    .addHelpText('before', 'Examples:\n  weir dlq discard 17 --yes\n  weir dlq discard --connector wiki --dry-run\n\n')
    .action(action(async () => (await import('./commands/dlq-change.ts')).discard));
  withFilters(dlq.command('export').description('letters with contents, one JSON object a line'))
    .option('--output <file>', 'write to this file, readable by its owner alone')
    .option('--force', 'replace the file when it is there')
    .addHelpText(
      'before',
      'Examples:\n  weir dlq export --sink crm | jq .payload\n  weir dlq export --output letters.ndjson\n\n',
    )
    .action(action(async () => (await import('./commands/dlq-export.ts')).exportLetters));
}

function withFilters(command: Command): Command {
  return command
    .option('--connector <name>', 'only of this connector')
    .option('--sink <name>', 'only of this sink; pull for raw records')
    .option('--code <code>', 'only with this reason')
    .option('--class <class>', 'source, authorisation, sink or defect')
    .option('--key <key>', 'only of this key')
    .option('--state <state>', 'dead or queued');
}

function withSelection(command: Command): Command {
  return withFilters(command.addArgument(new Argument('[ids...]', 'numbers of letters').argParser(toId)))
    .option('--all', 'every letter')
    .option('--dry-run', 'only count')
    .option('--yes', 'do not ask');
}
