// What the writers of a log and the thread that commits for them say to each other.

import type { ErrorCode, ErrorFields } from '../base/errors.ts'
import type { TopicFiles } from './topic-files.ts'

export type ToCommitter =
  /** Take the topic's lock. `writer` is the name of this writer in all that follows. */
  | { readonly kind: 'open'; readonly writer: number; readonly files: TopicFiles }
  /** Packed records; the next commit. */
  | { readonly kind: 'append'; readonly writer: number; readonly bytes: ArrayBuffer }
  /** Commit what has been sent, then let go of the topic. What cannot be committed at once is dropped. */
  | { readonly kind: 'close'; readonly writer: number }
  /** End the thread; every writer has been closed. */
  | { readonly kind: 'end' }

/** What became of one writer. */
export type WriterNews =
  | { readonly kind: 'opened'; readonly ends: readonly number[]; readonly maxMessageBytes: number }
  /** The oldest append that was not answered yet is on disk. */
  | { readonly kind: 'committed' }
  /** It could not be committed and will be tried again. */
  | { readonly kind: 'retrying'; readonly reason: string }
  /** Compaction stopped in the middle; it begins anew later. */
  | { readonly kind: 'compaction-failed'; readonly reason: string }
  /** It could not be opened, or nothing more will be committed; `closed` follows. */
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly message: string; readonly fields: ErrorFields }
  /** The topic's lock is free, and nothing more is said. */
  | { readonly kind: 'closed' }

export interface FromCommitter {
  readonly writer: number
  readonly news: WriterNews
}
