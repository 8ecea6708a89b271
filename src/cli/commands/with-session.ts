import type { CliHost, GlobalFlags, Session, SessionNeeds } from '../host.ts';

/** Opens the way to the data, and closes it whatever happens. */
export async function withSession<T>(
  host: CliHost,
  flags: GlobalFlags,
  use: (session: Session) => Promise<T>,
  needs: SessionNeeds = 'read',
): Promise<T> {
  const session = await host.openSession(flags, needs);
  try {
    return await use(session);
  } finally {
    await session.close();
  }
}

/** Without the members that a flag left undefined: operations refuse what they do not know. */
export function given(input: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined));
}
