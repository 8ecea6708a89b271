import { Argument, Command, CommanderError, Option } from 'commander';
import { Fault, toFault } from '#core/fault.ts';
import { toPlainText } from '#core/plain-text.ts';
import { toCount, toDays, toPort, toSeed } from './arguments.ts';
import { declareDeadLetters } from './dead-letter-commands.ts';
import { EXIT } from './exit-code.ts';
import type { CliHost, GlobalFlags } from './host.ts';
import { showFault } from './show-fault.ts';
import { declareSinks } from './sink-commands.ts';

/** A command's own code: loaded only when it is used. Returns the exit code. */
export type CommandAction<Flags extends GlobalFlags = GlobalFlags> = (
  host: CliHost,
  flags: Flags,
  ...args: string[]
) => Promise<number>;

const ROLES_ALLOWED = ['Admin', 'Deployer', 'Operator'];

const TOP_HELP = `
Examples:
  weir start                          run, and open the dashboard's address it prints
  weir list                           every connector with its health, worst first
  weir drill git                      one connector in detail
  weir search "event log" --limit 5   find documents
  weir events --severity high --since 2h

Exit codes:
  0  done; all connectors healthy
  1  a connector is degraded or down; the work failed or ended partial
  2  the role does not allow it
  3  not found, invalid arguments or configuration, system error

Documentation: docs/README.md`;

/** Parses the arguments, runs one command, and says how it ended. Never throws. */
export async function runCli(host: CliHost, args: readonly string[]): Promise<number> {
  let exit: number = EXIT.done;
  let flagsSeen: GlobalFlags = { json: args.includes('--json') };
  const action =
    <Flags extends GlobalFlags>(load: () => Promise<CommandAction<Flags>>) =>
    async (...given: unknown[]): Promise<void> => {
      // commander hands over: arguments…, options, command. Its types do not say so.
      const command = given.at(-1) as Command;
      const flags = command.optsWithGlobals<Flags>();
      flagsSeen = flags;
      demandRole(host.userRole);
      const run = await load();
      exit = await run({ ...host, terminal: host.terminal.withFlags(flags) }, flags, ...command.args);
    };
  const program = declare(host, action, flagsSeen.json === true);
  try {
    await program.parseAsync([...args], { from: 'user' });
    return exit;
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return EXIT.done;
      if (flagsSeen.json === true)
        showFault(host.terminal.withFlags(flagsSeen), new Fault('input_invalid', usageProblem(error)));
      return EXIT.error;
    }
    const fault = toFault(error);
    showFault(host.terminal.withFlags(flagsSeen), fault);
    return fault.row.exit;
  }
}

/** commander's own words, but for the case where it only shows help because a verb is missing. */
function usageProblem(error: CommanderError): string {
  return error.code === 'commander.help'
    ? 'a verb is missing; --help lists them'
    : error.message.replace(/^error: /, '');
}

/** USER_ROLE is self-declared and a convenience for the local command line only; whoever can open the data directory may act. */
function demandRole(role: string | undefined): void {
  if (role === undefined || role === '' || ROLES_ALLOWED.includes(role)) return;
  throw new Fault('role_missing', `the role in USER_ROLE does not allow this command`);
}

/** How a command's code is joined to its declaration. */
export type Declare = <Flags extends GlobalFlags>(
  load: () => Promise<CommandAction<Flags>>,
) => (...given: unknown[]) => Promise<void>;

function declare(host: CliHost, action: Declare, asJson: boolean): Command {
  const { terminal } = host;
  const program = new Command('weir')
    .description('Connects external systems to your data and keeps the connections up.')
    .version(host.version, '--version', 'print the version')
    .option('--config <file>', 'configuration file (WEIR_CONFIG; default weir.yaml)')
    .option('--data <dir>', 'data directory (WEIR_DATA; default .weir)')
    .option('--json', 'print JSON instead of a table')
    .addOption(new Option('--no-color', 'print without colour'))
    .helpOption('-h, --help', 'show help')
    .addHelpText('after', TOP_HELP)
    .showSuggestionAfterError(true)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.line(text.trimEnd()),
      // Usage errors repeat what was typed: data like any other (T55). With --json the problem object says it.
      writeErr: (text) => (asJson ? undefined : terminal.note(toPlainText(text.trimEnd()))),
    });
  declareService(program, action);
  declareConnectors(program, action);
  declareAlerts(program, action);
  declareData(program, action);
  declareDeadLetters(program, action);
  declareSinks(program, action);
  declareConfig(program, action);
  for (const command of everyCommand(program)) command.exitOverride().copyInheritedSettings(program);
  return program;
}

function declareService(program: Command, action: Declare): void {
  program
    .command('start')
    .description('run Weir until it is told to stop')
    .addOption(new Option('--port <n>', 'port (WEIR_PORT; default 8000 or the next free one)').argParser(toPort))
    .option('--host <host>', 'address to listen on (WEIR_HOST; default 127.0.0.1)')
    .addHelpText(
      'before',
      'Examples:\n  weir start\n  weir start --config prod.yaml --data /var/lib/weir --port 9000\n\n',
    )
    .action(action(async () => (await import('./commands/start.ts')).start));
  program
    .command('init')
    .description('write a commented weir.yaml that needs no account')
    .action(action(async () => (await import('./commands/init.ts')).init));
  const worker = program.command('worker').description('the process that does the work');
  worker
    .command('lag')
    .description('age of its heartbeat; ends with 1 when it is late')
    .action(action(async () => (await import('./commands/worker.ts')).lag));
}

function declareConnectors(program: Command, action: Declare): void {
  program
    .command('list')
    .description('every connector with its health, worst first')
    .addHelpText('before', 'Examples:\n  weir list\n  weir list --json | jq .summary\n\n')
    .action(action(async () => (await import('./commands/list.ts')).list));
  program
    .command('drill')
    .description('one connector: health, streams, recent runs and failures')
    .argument('<name>', 'connector')
    .addHelpText('before', 'Examples:\n  weir drill git\n\n')
    .action(action(async () => (await import('./commands/drill.ts')).drill));
  program
    .command('run')
    .description('pull now, to the end, and wait until the sinks have it')
    .argument('<name>', 'connector')
    .option('--stream <stream>', 'only this stream')
    .option('--accept-deletes', 'let a listing delete more than the brake allows')
    .addHelpText('before', 'Examples:\n  weir run git\n  weir run git --stream docs --json\n\n')
    .action(action(async () => (await import('./commands/run.ts')).run));
  program
    .command('check')
    .description('validate weir.yaml, then test each connection')
    .argument('[name]', 'only this connector')
    .option('--offline', 'validate only')
    .addHelpText('before', 'Examples:\n  weir check\n  weir check git\n  weir check --offline --json\n\n')
    .action(action(async () => (await import('./commands/check.ts')).check));
}

function declareAlerts(program: Command, action: Declare): void {
  program
    .command('reset')
    .description('close the circuit of a connector now, in the running Weir')
    .argument('<name>', 'connector')
    .addArgument(new Argument('<what>', 'what to reset').choices(['circuit']))
    .addHelpText('before', 'Examples:\n  weir reset github circuit\n\n')
    .action(action(async () => (await import('./commands/reset.ts')).reset));
  const alerts = program.command('alerts').description('what is wrong by the alert rules');
  alerts
    .command('list')
    .description('pending, firing and lately resolved ones; ends with 1 when something fires')
    .action(action(async () => (await import('./commands/alerts.ts')).list));
  alerts
    .command('silence')
    .description('tell nobody for a while; they are still listed')
    .argument('<reason>', 'for whoever wonders why it is quiet')
    .option('--rule <rule>', 'only this rule')
    .option('--connector <name>', 'only this connector')
    .addOption(new Option('--minutes <n>', 'for so long').argParser(toCount).default(60))
    .addHelpText('before', 'Examples:\n  weir alerts silence "wiki is being moved" --connector wiki --minutes 90\n\n')
    .action(action(async () => (await import('./commands/alerts.ts')).silence));
}

function declareData(program: Command, action: Declare): void {
  program
    .command('search')
    .description('full-text search over all documents, best first')
    .argument('<words...>', 'words; "quoted words" stand together')
    .option('--connector <name>', 'only this connector')
    .addOption(new Option('--limit <n>', 'at most so many results').argParser(toCount).default(20))
    .addHelpText(
      'before',
      'Examples:\n  weir search backpressure\n  weir search \'"event log" cursor\' --connector git --limit 5\n\n',
    )
    .action(action(async () => (await import('./commands/search.ts')).search));
  program
    .command('neighbours')
    .description('what a document links to and what links to it')
    .argument('<connector>')
    .argument('<key>', 'as search shows it')
    .action(action(async () => (await import('./commands/neighbours.ts')).neighbours));
  program
    .command('events')
    .description('events in time order, newest first')
    .option('--connector <name>', 'only this connector')
    .option('--kind <kind>', 'document, record or signal')
    .option('--severity <severity>', 'critical, high, medium or low')
    .option('--tag <tag>', 'only with this tag')
    .option('--text <text>', 'only with this in title, text or key')
    .option('--since <time>', 'RFC 3339 or an age: 90s, 15m, 2h, 7d')
    .option('--until <time>', 'likewise')
    .option('--follow', 'go on with new ones until interrupted')
    .addOption(new Option('--limit <n>', 'at most so many').argParser(toCount).default(50))
    .addHelpText('before', 'Examples:\n  weir events --severity high --since 2h\n  weir events --follow --json\n\n')
    .action(action(async () => (await import('./commands/events.ts')).events));
  const queue = program.command('queue').description('the event log between pulls and sinks');
  queue
    .command('stats')
    .description('how full it is and how far each sink is behind')
    .action(action(async () => (await import('./commands/queue.ts')).stats));
  queue
    .command('peek')
    .description('the oldest events that wait')
    .addOption(new Option('-n, --limit <n>', 'at most so many').argParser(toCount).default(5))
    .action(action(async () => (await import('./commands/queue.ts')).peek));
}

function declareConfig(program: Command, action: Declare): void {
  program
    .command('simulate')
    .description('what would happen to these connectors and sinks if …; calls nothing, stores nothing')
    .addOption(new Option('--days <n>', 'simulated time').argParser(toDays).default(1))
    .addOption(new Option('--seed <n>', 'same seed, same report').argParser(toSeed).default(1))
    .option(
      '--faults <file>',
      'plan of what goes wrong (default: each API fails for 40 minutes, then a sink for 2 hours)',
    )
    .addHelpText(
      'before',
      'Examples:\n  weir simulate\n  weir simulate --days 7 --faults outage.yaml\n\noutage.yaml:\n  faults:\n    - { connector: github, answer: 502, from: 1h, for: 40m }\n    - { sink: crm, answer: down, from: 4h, for: 2h }\n\n',
    )
    .action(action(async () => (await import('./commands/simulate.ts')).simulate));
  const config = program.command('config').description('the configuration');
  config
    .command('show')
    .description('every value with its origin, secrets masked')
    .option('--effective', 'with defaults, variables and flags applied (always on)')
    .action(action(async () => (await import('./commands/config.ts')).show));
  config
    .command('schema')
    .description('JSON Schema of weir.yaml')
    .action(action(async () => (await import('./commands/config.ts')).schema));
}

function everyCommand(command: Command): readonly Command[] {
  return command.commands.flatMap((child) => [child, ...everyCommand(child)]);
}
