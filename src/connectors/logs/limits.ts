const KIB = 1024;
const MIB = 1024 * KIB;

/** Every bound of this connector. What happens at the bound stands beside it. */
export const LOGS_LIMITS = {
  patternsMax: 64, // refused when the configuration is read
  patternCharsMax: 1024,
  filesMax: 256, // files followed at once; more are left out and counted as `over_file_limit`
  dirEntriesMax: 20_000, // directory entries looked at per run; the walk stops there and says so
  dirDepthMax: 16, // how deep `**` goes
  backlogBytesMax: 1024 * MIB, // a larger file is begun that far before its end, and that is logged and counted
  chunkBytes: 128 * KIB, // one read of the file
  lineBytesMax: MIB, // the rest of a longer line is skipped to its end; the record is marked truncated
  fingerprintBytesMax: KIB, // of the beginning of a file, and of what stands before the offset
  recordLinesMax: 200, // continuation lines kept of one record (stack traces); further ones belong to it but are not kept
  recordCharsMax: 32 * KIB, // of continuation lines kept of one record
  recordExtentBytesMax: MIB, // a record that goes on beyond this is closed
  pageBytes: MIB, // bytes of one file grouped into one page
  pageHardBytes: 4 * MIB, // pageBytes + the longest record + the longest line that may follow it
  headCharsMax: 4 * KIB, // part of a line in which time and level are looked for
  messageCharsMax: 8 * KIB, // part of a message that is searched for keywords and redacted
  templateCharsMax: KIB, // part of a message that its template is made of
  tokensMax: 48, // words of a template; a longer message shares the template of its first words
  tokenCharsMax: 96,
  templatesMax: 128, // per page; records of further templates share one group per severity
  templateChildrenMax: 32, // per node of the prefix tree; further words share the wildcard child
  groupsMax: 512, // per page: the page ends there
  groupSpanMs: 5 * 60_000, // a template seen again later than this after its first line becomes a new event
  samplesMax: 5,
  sampleCharsMax: 4 * KIB,
  contextCharsMax: 200,
} as const;
