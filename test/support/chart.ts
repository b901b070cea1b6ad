// The chart as helm renders it: its objects, and what they mean for `kubedelta run`.

import { resolve } from 'node:path'
import { parseAllDocuments } from 'yaml'
import { z } from 'zod'
import { runOptions, type RunOptions } from '../../src/cli/command-options.ts'
import { parseConfig } from '../../src/cli/config-file.ts'
import type { RawValues } from '../../src/cli/option-values.ts'
import { helm, type HelmOptions } from './helm.ts'

/** The folder of the chart. */
export const CHART = resolve(import.meta.dirname, '../../helm')

/** The namespace that charts are rendered for. */
export const NAMESPACE = 'bridges'

/** An object of a rendered chart. */
export type Manifest = z.infer<typeof manifestSchema>

/** The chart as release `bridge` with these value flags, as YAML. @throws Error with helm's words when it is refused */
export async function renderChart(flags: readonly string[], options: HelmOptions): Promise<string> {
  const { code, stdout, stderr } = await helm(['template', 'bridge', CHART, '-n', NAMESPACE, ...flags], options)
  if (code !== 0) throw new Error(`Cannot render the chart: exit code ${code}: ${stderr}`)
  return stdout
}

/** The objects in what helm or kubectl printed. */
export function manifestsOf(text: string): readonly Manifest[] {
  return parseAllDocuments(text).map((document) => manifestSchema.parse(document.toJS()))
}

/** The one object of a kind. @throws Error where there is none */
export function manifestOf<K extends Manifest['kind']>(
  manifests: readonly Manifest[],
  kind: K,
): Extract<Manifest, { kind: K }> {
  const found = manifests.find((manifest): manifest is Extract<Manifest, { kind: K }> => manifest.kind === kind)
  if (found === undefined) throw new Error(`Cannot find ${kind}: the chart renders none`)
  return found
}

/** The options that `kubedelta run` has in the pod. @throws KubedeltaError as `kubedelta run` would */
export function optionsIn(manifests: readonly Manifest[]): RunOptions {
  const text = manifestOf(manifests, 'ConfigMap').data['kubedelta.yaml'] ?? ''
  const nothing: RawValues = new Map()
  return runOptions({ flags: nothing, environment: nothing, file: parseConfig(text, 'kubedelta.yaml') })
}

const ruleSchema = z.object({
  apiGroups: z.array(z.string()),
  resources: z.array(z.string()),
  resourceNames: z.array(z.string()).optional(),
  verbs: z.array(z.string()),
})

const containerSchema = z.looseObject({
  image: z.string(),
  args: z.array(z.string()),
  ports: z.array(z.object({ name: z.string(), containerPort: z.number() })),
  securityContext: z.looseObject({}),
  volumeMounts: z.array(z.looseObject({ name: z.string(), mountPath: z.string() })),
})

const fileSchema = z.object({ key: z.string(), path: z.string() })
const volumeSchema = z.looseObject({
  name: z.string(),
  secret: z.looseObject({ items: z.array(fileSchema).optional() }).optional(),
})

const podSchema = z.looseObject({
  metadata: z.looseObject({ labels: z.record(z.string(), z.string()) }),
  spec: z.looseObject({
    securityContext: z.looseObject({ runAsUser: z.number() }),
    containers: z.tuple([containerSchema]),
    volumes: z.array(volumeSchema),
  }),
})

const metadataSchema = z.looseObject({ name: z.string(), namespace: z.string().optional() })
const other = <K extends string>(kind: K) => z.looseObject({ kind: z.literal(kind), metadata: metadataSchema })

const manifestSchema = z.discriminatedUnion('kind', [
  other('ServiceAccount'),
  other('ClusterRoleBinding'),
  other('RoleBinding'),
  other('ServiceMonitor'),
  other('PodDisruptionBudget').extend({ spec: z.looseObject({ maxUnavailable: z.number() }) }),
  other('ConfigMap').extend({ data: z.record(z.string(), z.string()) }),
  other('ClusterRole').extend({ rules: z.array(ruleSchema) }),
  other('Role').extend({ rules: z.array(ruleSchema) }),
  other('Service').extend({ spec: z.looseObject({ selector: z.record(z.string(), z.string()) }) }),
  other('Deployment').extend({
    spec: z.looseObject({
      replicas: z.number(),
      strategy: z.object({ type: z.string() }),
      template: podSchema,
    }),
  }),
])
