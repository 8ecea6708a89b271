import type { Life } from './life.ts';

/** Every method of `target` asked through a seam of `life`; each must return a promise. Other members are passed on as they are. */
export function throughSeam<T extends object>(life: Life, name: string, target: T): T {
  return mapMethods(
    target,
    (key, call) =>
      (...args) =>
        life.cross(`${name}.${key}`, () => call(...args) as Promise<unknown>), // by the contract of what is wrapped
  );
}

/** `target` with some of its methods replaced; the others keep their own `this`. */
export function withOverrides<T extends object>(target: T, overrides: Partial<T>): T {
  const replaced = new Map<string, unknown>(Object.entries(overrides));
  return mapMethods(target, (key, call) => (replaced.get(key) as Call | undefined) ?? call); // T's own type checked it
}

type Call = (...args: unknown[]) => unknown;

function mapMethods<T extends object>(target: T, map: (key: string, call: Call) => Call): T {
  const members = new Map<PropertyKey, unknown>();
  return new Proxy(target, {
    get(_, key) {
      if (members.has(key)) return members.get(key);
      const member: unknown = Reflect.get(target, key, target);
      const seen: unknown =
        typeof member === 'function'
          ? map(String(key), (...args) => Reflect.apply(member, target, args) as unknown)
          : member;
      members.set(key, seen);
      return seen;
    },
  });
}
