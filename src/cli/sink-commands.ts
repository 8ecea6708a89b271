import { Option, type Command } from 'commander';
import { collected } from './arguments.ts';
import type { Declare } from './program.ts';

const ADD_HELP = `Examples:
  weir sink add crm --type http --set url=https://crm.example.com/events --secret-env CRM_SECRET
  weir sink add search --type http --set url=https://search.example.com --kind document --from newest

`;

export function declareSinks(program: Command, action: Declare): void {
  const sink = program.command('sink').description('where events are written');
  sink
    .command('list')
    .description('every sink: how far it is behind and what holds it up')
    .action(action(async () => (await import('./commands/sink.ts')).list));
  sink
    .command('add')
    .description('write a new sink into weir.yaml; a restart takes it up')
    .argument('<name>', 'a name of your choice')
    .requiredOption('--type <type>', 'kind of sink, for instance http')
    .addOption(new Option('--set <setting=value>', 'a setting of that kind; several times').argParser(collected))
    .option('--secret-env <variable>', 'environment variable that holds its secret')
    .option('--from <where>', 'begin at oldest, newest, or a time')
    .addOption(new Option('--tenant <name>', 'only events of this tenant; several times').argParser(collected))
    .addOption(new Option('--connector <name>', 'only of this connector; several times').argParser(collected))
    .addOption(new Option('--kind <kind>', 'only document, record or signal; several times').argParser(collected))
    .addHelpText('before', ADD_HELP)
    .action(action(async () => (await import('./commands/sink-add.ts')).add));
  sink
    .command('resume')
    .description('try one that waits or refuses everything again at once')
    .argument('<name>', 'sink')
    .option('--accept-rejects', 'the events are bad, not the sink: keep what it refuses as dead letters')
    .addHelpText('before', 'Examples:\n  weir sink resume crm\n  weir sink resume crm --accept-rejects\n\n')
    .action(action(async () => (await import('./commands/sink.ts')).resume));
  sink
    .command('reread')
    .description('let a sink read the event log again, or skip ahead')
    .argument('<name>', 'sink')
    .requiredOption('--from <where>', 'oldest, newest, or a time: RFC 3339 or an age such as 2h')
    .option('--dry-run', 'only count')
    .option('--accept-backlog', 'even when it fills the queue')
    .option('--yes', 'do not ask')
    .addHelpText(
      'before',
      'Examples:\n  weir sink reread crm --from 2h --dry-run\n  weir sink reread crm --from oldest --yes\n\n',
    )
    .action(action(async () => (await import('./commands/sink.ts')).reread));
  sink
    .command('remove')
    .description('give one up that is configured no more')
    .argument('<name>', 'sink')
    .option('--dry-run', 'only count')
    .option('--yes', 'do not ask')
    .action(action(async () => (await import('./commands/sink.ts')).remove));
}
