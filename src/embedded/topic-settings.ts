// Reads the configuration of a topic: Kafka's names and defaults, as far as a log of one directory has use for them.

import { KubedeltaError } from '../base/errors.ts'

export interface TopicSettings {
  /** Largest group of records, uncompressed. */
  readonly maxMessageBytes: number
  /** How long a tombstone stays after everything older of its key is gone. */
  readonly deleteRetentionMs: number
  /** A segment is closed, so that compaction may work on it, at this size or at this age. */
  readonly segmentBytes: number
  readonly segmentMs: number
  /** Compaction begins when closed segments that it has not seen make up this share of all closed ones. */
  readonly minDirtyRatio: number
  /** Or when the oldest of them was begun this long ago. */
  readonly maxCompactionLagMs: number
}

/**
 * Names and defaults: https://kafka.apache.org/documentation/#topicconfigs. Two defaults differ: compaction is the only
 * policy, and segments are small, because a disk shared with everything else must not wait for a gigabyte of garbage.
 */
const DEFAULTS = {
  'cleanup.policy': 'compact',
  'max.message.bytes': '1048588',
  'delete.retention.ms': '86400000',
  'segment.bytes': String(16 * 1024 * 1024),
  'segment.ms': '604800000',
  'min.cleanable.dirty.ratio': '0.5',
  'max.compaction.lag.ms': '9223372036854775807',
} as const

type SettingName = keyof typeof DEFAULTS

/**
 * Every configuration in force: what was given over the defaults.
 * @throws KubedeltaError `rejected` for a name or a value that means nothing here
 */
export function fullConfig(topic: string, given: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  for (const [name, value] of given) checkSetting(topic, name, value)
  return new Map([...Object.entries(DEFAULTS), ...given])
}

/** The settings that a full configuration means. */
export function topicSettings(config: ReadonlyMap<string, string>): TopicSettings {
  const number = (name: SettingName): number => Number(config.get(name) ?? DEFAULTS[name])
  return {
    maxMessageBytes: number('max.message.bytes'),
    deleteRetentionMs: number('delete.retention.ms'),
    segmentBytes: number('segment.bytes'),
    segmentMs: number('segment.ms'),
    minDirtyRatio: number('min.cleanable.dirty.ratio'),
    maxCompactionLagMs: number('max.compaction.lag.ms'),
  }
}

function checkSetting(topic: string, name: string, value: string): void {
  if (!Object.hasOwn(DEFAULTS, name)) {
    throw refused(topic, `wanted configurations of ${Object.keys(DEFAULTS).join(', ')}: current one is ${name}`)
  }
  if (name === 'cleanup.policy') {
    if (value !== 'compact') throw refused(topic, `wanted cleanup.policy=compact: current value is ${value}`)
  } else if (!/^\d+(?:\.\d+)?$/.test(value)) {
    throw refused(topic, `wanted a number for ${name}: current value is ${JSON.stringify(value)}`)
  }
}

function refused(topic: string, reason: string): KubedeltaError {
  return new KubedeltaError('rejected', `Cannot create topic ${topic} in a directory: ${reason}`, { fields: { topic } })
}
