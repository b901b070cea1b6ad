// What `import ... from 'kubedelta'` offers: the bridge and what feeds it.

export { Bridge } from './bridge/bridge.ts'
export type { BridgedResource, BridgeOptions } from './bridge/bridge.ts'
export { createBridgeMetrics } from './bridge/bridge-metrics.ts'
export type { BridgeMetrics } from './bridge/bridge-metrics.ts'
export type { CandidateStatus, ResourceHealth } from './bridge/status.ts'
export { LeaderElection } from './bridge/leader-election.ts'
export type { ElectionStatus, LeaderElectionOptions } from './bridge/leader-election.ts'
export type { ElectionTiming } from './bridge/election-timing.ts'
export { informerFactory } from './watch/informer-factory.ts'
export type { FactoryInformerOptions, InformerFactory, InformerFactoryOptions } from './watch/informer-factory.ts'
export { createInformer } from './watch/informer.ts'
export type { Informer, InformerOptions, InformerSettings, InformerStatus } from './watch/informer.ts'
export type { Transform } from './watch/informer-transform.ts'
export { createResourceClient } from './watch/resource-client.ts'
export type {
  ResourceClient,
  ResourceEvent,
  ResourceList,
  ResourceListOptions,
  ResourceSelection,
  ResourceWatchOptions,
} from './watch/resource-client.ts'
export type { Cache } from './cache/cache.ts'
export type { IndexDifference } from './cache/check-indexes.ts'
export { filteringHandler } from './cache/handler.ts'
export type { Handler } from './cache/handler.ts'
export type { HandlerOptions, Registration } from './cache/handlers.ts'
export { NAMESPACE_INDEX, namespaceIndex, OWNER_INDEX, ownerIndex } from './cache/index-function.ts'
export type { IndexFunction, Indexers } from './cache/index-function.ts'
export { createIndexer } from './cache/indexer.ts'
export { createLister } from './cache/lister.ts'
export type { Lister, ListOptions, NamespaceLister, SelectableFields } from './cache/lister.ts'
export { waitForCacheSync } from './cache/sync-tracker.ts'
export type { Synced } from './cache/sync-tracker.ts'
export type { Wire } from './object/wire.ts'
export { connect } from './connect/connect.ts'
export { loadCredentials } from './kube/credentials.ts'
export type { Credentials, CredentialsOptions } from './kube/credentials.ts'
export { createKubeClient, createWritingKubeClient } from './kube/client.ts'
export type { KubeClient, KubeClientOptions, WritingKubeClient } from './kube/client.ts'
export { createLeaseStore } from './kube/lease.ts'
export type { Lease, LeaseClaim, LeaseStore, LeaseStoreOptions, LeaseWritten } from './kube/lease.ts'
export { discover } from './kube/discovery.ts'
export { everything, findResource } from './kube/catalogue.ts'
export type { Catalogue } from './kube/catalogue.ts'
export { readClusterId } from './kube/identity.ts'
export { createHttpSource } from './watch/http-source.ts'
export type { HttpSourceOptions } from './watch/http-source.ts'
export { KubedeltaError } from './base/errors.ts'
export type { ErrorCode } from './base/errors.ts'
export { createLogger, silentLogger } from './base/log.ts'
export type { Logger, LogOptions } from './base/log.ts'
export { createMetrics } from './base/metrics.ts'
export type { Metrics } from './base/metrics.ts'
export { resourceName } from './object/resource.ts'
export type { Resource } from './object/resource.ts'
export { topicName } from './record/topic-name.ts'
export type { Cause, KubeRecord, Operation, Previous } from './record/record.ts'

// For extenders.
export { bytesStorage } from './cache/bytes-storage.ts'
export type { BytesStorageOptions } from './cache/bytes-storage.ts'
export type { Entry } from './cache/entry.ts'
export { objectStorage } from './cache/object-storage.ts'
export type { ObjectStorage, StorageMode, StorageUsage } from './cache/storage.ts'
export { ByteBudget } from './base/byte-budget.ts'
export { steadyClock, systemClock } from './base/clock.ts'
export type { Clock } from './base/clock.ts'
export { encodeRecord, RecordDecoder } from './codec/codec.ts'
export type { EncodeRecord, RecordFormat } from './codec/codec.ts'
export { SchemaStore } from './codec/schema-source.ts'
export type { SchemaSource } from './codec/schema-source.ts'
export { fromHeaders, isReservedKey, reservedKeys, toHeaders } from './record/control.ts'
export type { Control, Fence, Progress } from './record/control.ts'
export type { RawObject } from './object/raw-object.ts'
export { partitionOf } from './topic/partition.ts'
export type {
  Appended,
  Compression,
  ReadBatch,
  ReadOptions,
  RecordGroup,
  StoredRecord,
  TopicAdmin,
  TopicDescription,
  TopicHeader,
  TopicLog,
  TopicReader,
  TopicRecord,
  TopicSpec,
  TopicWriter,
  WriterOptions,
} from './topic/port.ts'
export type { Delta, DeltaSink, ListReason } from './watch/delta.ts'
export { DeltaQueue } from './watch/delta-queue.ts'
export type { DeltaQueueOptions, KnownKeys } from './watch/delta-queue.ts'
export type { Popped } from './watch/delta-queue-popped.ts'
export { Reflector } from './watch/reflector.ts'
export type { ReflectorOptions, ReflectorStatus } from './watch/reflector.ts'
export type { ListFrame, ListRequest, ListWatch, WatchFrame, WatchRequest } from './watch/source.ts'
