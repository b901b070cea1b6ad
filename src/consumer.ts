// The package `kubedelta/consumer`: caches fed by topics, without an apiserver client and without a command line.

export { topicCache } from './consumer/topic-cache.ts'
export type {
  ReplicaCacheOptions,
  TopicCache,
  TopicCacheOptions,
  TopicCacheStatus,
  TopicSource,
} from './consumer/topic-cache.ts'
export { topicCacheFactory } from './consumer/topic-cache-factory.ts'
export type { FoundTopic, SubscribeOptions, TopicCacheFactory } from './consumer/topic-cache-factory.ts'
export type { ReplicaState } from './replica/reading.ts'
export type { OffsetProgress, ReplicaStatus, StreamInfo } from './replica/replica-status.ts'
export type { DegradedReason } from './replica/degraded-keys.ts'
export type { SnapshotOptions } from './consumer/snapshot-options.ts'
export { topicRecords } from './consumer/topic-records.ts'
export type { ReadingStart, RecordBatch, TopicRecordsOptions } from './consumer/topic-records.ts'
export type {
  BrokenEntry,
  EntryPlace,
  ProgressEntry,
  RecordEntry,
  TombstoneEntry,
  TopicEntry,
  UnreadableEntry,
} from './consumer/topic-entry.ts'
export type { AnewReason, PartitionPosition, TopicPositions } from './consumer/topic-positions.ts'

export type { SelectionOptions } from './replica/selection.ts'
export type { Cache } from './cache/cache.ts'
export type { IndexDifference } from './cache/check-indexes.ts'
export { bytesStorage } from './cache/bytes-storage.ts'
export type { BytesStorageOptions } from './cache/bytes-storage.ts'
export type { Entry } from './cache/entry.ts'
export { objectStorage } from './cache/object-storage.ts'
export type { ObjectStorage, StorageMode, StorageUsage } from './cache/storage.ts'
export { filteringHandler } from './cache/handler.ts'
export type { Handler } from './cache/handler.ts'
export type { HandlerOptions, Registration } from './cache/handlers.ts'
export { NAMESPACE_INDEX, namespaceIndex, OWNER_INDEX, ownerIndex } from './cache/index-function.ts'
export type { IndexFunction, Indexers } from './cache/index-function.ts'
export { createLister } from './cache/lister.ts'
export type { Lister, ListOptions, NamespaceLister, SelectableFields } from './cache/lister.ts'
export { waitForCacheSync } from './cache/sync-tracker.ts'
export type { Synced } from './cache/sync-tracker.ts'
export { parseLabelSelector } from './object/label-selector.ts'
export type { LabelSelector } from './object/label-selector.ts'
export { parseFieldSelector } from './object/field-selector.ts'
export type { FieldSelector } from './object/field-selector.ts'
export type { Wire } from './object/wire.ts'
export { KubedeltaError } from './base/errors.ts'
export type { ErrorCode, ErrorFields } from './base/errors.ts'
export { createLogger } from './base/log.ts'
export type { Logger, LogOptions } from './base/log.ts'
export { createMetrics } from './base/metrics.ts'
export type { Metrics } from './base/metrics.ts'
export type { KafkaSasl, KafkaSecurity, KafkaTls } from './kafka/security.ts'

// For those who bring their own log of topics, or their own clock.
export { connect } from './connect/connect.ts'
export type { ConnectOptions } from './connect/connect.ts'
export type { TopicAdmin, TopicLog, TopicReader, TopicWriter } from './topic/port.ts'
export type { Clock } from './base/clock.ts'
