/** The disk that the data lies on, as far as its fullness matters. Built in main; absent for data in memory. */
export interface Disk {
  /** Directory, for messages. */
  readonly place: string;
  space(): Promise<{ readonly freeBytes: number; readonly totalBytes: number }>;
  /** Bytes the ballast file occupies now. */
  ballastBytes(): number;
  /**
   * Called when there is room, by one caller at a time: writes the ballast file so that its bytes are really allocated. Resolves early when `signal`
   * aborts: what is there stays, and the next call goes on from it. Throws `storage_full`, with nothing kept, when the bytes are not to be had.
   */
  holdBallast(bytes: number, signal: AbortSignal): Promise<void>;
  /** Called when the disk is full: gives the ballast's bytes back, so that confirming, trimming and the checkpoint of the write-ahead log still have room. */
  releaseBallast(): Promise<void>;
}
