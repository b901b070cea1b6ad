// Fetches Kafka's jars from Maven Central, once per machine.

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cached, cachePath, progress, runBuild } from './cache.ts'

/** The broker that tests run against; the version also stands in kafka/pom.xml. */
export const KAFKA_VERSION = '4.3.1'

const FOLDER = fileURLToPath(new URL('kafka', import.meta.url))

/** Where the jars that kafka/pom.xml names lie, or will. */
export function kafkaJarsPath(): string {
  const hash = createHash('sha256').update(readFileSync(join(FOLDER, 'pom.xml')))
  return cachePath(`kafka-${KAFKA_VERSION}-${hash.digest('hex').slice(0, 12)}`)
}

/** The folder with Kafka's jars, fetched with Maven when it is not there yet (44 MB, under a minute). */
export async function kafkaJars(): Promise<string> {
  return cached(kafkaJarsPath(), async (path) => {
    progress(`fetching the jars of Kafka ${KAFKA_VERSION} (44 MB, about a minute the first time)...`)
    await runBuild(
      'mvn',
      ['-q', '-B', 'dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${path}`],
      { cwd: FOLDER },
    )
  })
}

/** The java to run them with: that of JAVA_HOME, else that of PATH. */
export function javaCommand(): string {
  const home = process.env['JAVA_HOME']
  return home ? join(home, 'bin', 'java') : 'java'
}
