/** A value that JSON can carry. Depth and size are bounded where values enter (see `EVENT_LIMITS`). */
export type JsonValue =
  null | boolean | number | string | readonly JsonValue[] | { readonly [member: string]: JsonValue };
export type JsonObject = { readonly [member: string]: JsonValue };
