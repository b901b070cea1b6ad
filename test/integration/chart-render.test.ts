// needs: control-plane, helm
// The rendered chart, value file by value file, before helm's linter, a real apiserver, and kubedelta's own configuration.

import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { startControlPlane, type ControlPlane } from '../support/control-plane.ts'
import { helm } from '../support/helm.ts'
import { CHART, manifestOf, manifestsOf, NAMESPACE, optionsIn, renderChart, type Manifest } from '../support/chart.ts'
import { temporaryFolder } from '../support/leftovers.ts'
import { ready } from '../support/ready.ts'

const life = new AsyncDisposableStack()
const home = life.use(temporaryFolder('chart-render'))
const valueFiles = readdirSync(join(CHART, 'ci'))

let plane: ControlPlane

before(async () => {
  plane = life.use(await startControlPlane())
  const { kubectl } = plane
  for (const namespace of [NAMESPACE, 'shop', 'web']) await kubectl(['create', 'namespace', namespace])
  const restricted = ['enforce', 'warn'].map((mode) => `pod-security.kubernetes.io/${mode}=restricted`)
  await kubectl(['label', 'namespace', NAMESPACE, ...restricted])
  await kubectl(['apply', '-f', '-'], { stdin: SERVICE_MONITORS })
  await ready(() => kubectl(['get', 'servicemonitors', '-A']), { what: 'the resource servicemonitors' })
})

after(() => life.disposeAsync())

for (const name of valueFiles) {
  describe(`with ${name}`, () => {
    const flags = ['-f', join(CHART, 'ci', name)]

    test('helm finds nothing to complain about', async () => {
      const { code, stdout, stderr } = await helm(['lint', CHART, '--strict', ...flags], { home })
      assert.equal(code, 0, stdout + stderr)
    })

    test('the apiserver takes it, and has no warning', async () => {
      const stdin = await renderChart(flags, { home })
      const { stderr } = await plane.kubectl(['apply', '--dry-run=server', '-f', '-'], { stdin })
      assert.equal(stderr, '')
    })

    test('Pod Security admits the pod as restricted', async () => {
      const { template } = manifestOf(await rendered(flags), 'Deployment').spec
      const pod = { apiVersion: 'v1', kind: 'Pod', ...template, metadata: { ...template.metadata, name: 'pod' } }
      await dryRun(pod)
      const [container] = template.spec.containers
      const loose = { ...pod, spec: { ...template.spec, containers: [{ ...container, securityContext: {} }] } }
      await assert.rejects(dryRun(loose), /violates PodSecurity "restricted:latest"/)
    })

    test('kubedelta reads the configuration, and what it says of the pod is so', async () => {
      const manifests = await rendered(flags)
      const options = optionsIn(manifests)
      const { spec } = manifestOf(manifests, 'Deployment').spec.template
      const [{ args, ports, volumeMounts }] = spec.containers
      assert.deepEqual(args, ['run', '--config', '/etc/kubedelta/kubedelta.yaml'])
      assert.deepEqual(ports, [{ name: 'metrics', containerPort: options.metricsListen.port }])
      const mounted = volumeMounts.flatMap(({ name, mountPath }) => {
        const items = spec.volumes.find((volume) => volume.name === name)?.secret?.items ?? []
        return items.map(({ path }) => `${mountPath}/${path}`)
      })
      const { kafkaSaslPasswordFile, kafkaTlsCa, kafkaTlsCert, kafkaTlsKey } = options
      const named = [kafkaSaslPasswordFile, kafkaTlsCa, kafkaTlsCert, kafkaTlsKey].filter((path) => path !== undefined)
      assert.deepEqual(mounted, named)
    })

    test('a Service, where there is one, finds the pod', async () => {
      const manifests = await rendered(flags)
      const { labels } = manifestOf(manifests, 'Deployment').spec.template.metadata
      for (const service of manifests.filter((manifest) => manifest.kind === 'Service')) {
        assert.deepEqual({ ...labels, ...service.spec.selector }, labels)
      }
    })
  })
}

async function rendered(flags: readonly string[]): Promise<readonly Manifest[]> {
  return manifestsOf(await renderChart(flags, { home }))
}

async function dryRun(object: object): Promise<void> {
  await plane.kubectl(['apply', '-n', NAMESPACE, '--dry-run=server', '-f', '-'], { stdin: JSON.stringify(object) })
}

/** The Prometheus operator's resource as far as the chart uses it: unknown fields would be a warning. */
const SERVICE_MONITORS = JSON.stringify({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'servicemonitors.monitoring.coreos.com' },
  spec: {
    group: 'monitoring.coreos.com',
    scope: 'Namespaced',
    names: { kind: 'ServiceMonitor', plural: 'servicemonitors', singular: 'servicemonitor' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: {
            type: 'object',
            required: ['spec'],
            properties: {
              spec: {
                type: 'object',
                required: ['selector', 'endpoints'],
                properties: {
                  selector: {
                    type: 'object',
                    properties: { matchLabels: { type: 'object', additionalProperties: { type: 'string' } } },
                  },
                  endpoints: {
                    type: 'array',
                    items: {
                      type: 'object',
                      properties: Object.fromEntries(
                        ['port', 'path', 'interval', 'scrapeTimeout'].map((name) => [name, { type: 'string' }]),
                      ),
                    },
                  },
                },
              },
            },
          },
        },
      },
    ],
  },
})
