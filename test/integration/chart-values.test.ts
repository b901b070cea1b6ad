// needs: helm
// What single values make of the chart: pods, files, rights, and what helm says of wrong ones.

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { manifestOf, manifestsOf, NAMESPACE, optionsIn, renderChart, type Manifest } from '../support/chart.ts'
import { temporaryFolder } from '../support/leftovers.ts'

const home = temporaryFolder('chart-values')
const required = ['--set', 'to=kafka://kafka:9092,cluster=prod']

after(() => home[Symbol.dispose]())

test('one pod runs at a time, also during an update, and elects nobody', async () => {
  const manifests = await rendered(required)
  const { replicas, strategy } = manifestOf(manifests, 'Deployment').spec
  assert.deepEqual({ replicas, strategy }, { replicas: 1, strategy: { type: 'Recreate' } })
  assert.equal(optionsIn(manifests).leaderElect, false)
  assert.ok(!manifests.some(({ kind }) => kind === 'Role' || kind === 'PodDisruptionBudget'))
})

test('two pods elect the one that writes, and are updated and drained one by one', async () => {
  const manifests = await rendered([...required, '--set', 'replicas=2'])
  const { replicas, strategy } = manifestOf(manifests, 'Deployment').spec
  assert.deepEqual({ replicas, strategy }, { replicas: 2, strategy: { type: 'RollingUpdate' } })
  assert.equal(manifestOf(manifests, 'PodDisruptionBudget').spec.maxUnavailable, 1)
  const { leaderElect, leaderElectName, leaderElectNamespace } = optionsIn(manifests)
  assert.deepEqual([leaderElect, leaderElectName, leaderElectNamespace], [true, undefined, NAMESPACE])
})

test('the Lease of the election has rights of its own, by its name and in its namespace', async () => {
  const chosen = 'config.leaderElectName=shop-bridges,config.leaderElectNamespace=shop'
  for (const { flags, namespace, name } of [
    { flags: 'replicas=2', namespace: NAMESPACE, name: 'kubedelta-prod' },
    { flags: 'config.leaderElect=true', namespace: NAMESPACE, name: 'kubedelta-prod' },
    { flags: `replicas=3,${chosen}`, namespace: 'shop', name: 'shop-bridges' },
  ]) {
    const rights = rightsIn(await rendered([...required, '--set', `${flags},config.resources={pods}`]))
    assert.deepEqual(
      rights.filter((right) => right.includes('leases')),
      [`${namespace} create coordination.k8s.io/leases`, `${namespace} get,update coordination.k8s.io/leases/${name}`],
    )
  }
})

test('a changed option changes the pod, so that it starts anew', async () => {
  const templates = await Promise.all(
    [[], ['--set', 'config.qps=7']].map(async (more) =>
      JSON.stringify(manifestOf(await rendered([...required, ...more]), 'Deployment').spec.template),
    ),
  )
  assert.notEqual(templates[0], templates[1])
})

test('an OAUTHBEARER token is mounted as the file that is read again', async () => {
  const sasl = 'config.kafkaSaslMechanism=oauthbearer,kafka.sasl.existingSecret=token,kafka.sasl.key=token'
  const options = optionsIn(await rendered([...required, '--set', sasl]))
  assert.equal(options.kafkaSaslTokenFile, '/etc/kubedelta-kafka-sasl/token')
  assert.equal(options.kafkaSaslPasswordFile, undefined)
})

test('credentials for the brokers reach the pod as files alone, which change with their Secret', async () => {
  const tls = 'kafka.tls.existingSecret=certificates,kafka.tls.cert=tls.crt,kafka.tls.key=tls.key'
  const sasl = 'config.kafkaSaslMechanism=plain,config.kafkaSaslUsername=ann,kafka.sasl.existingSecret=user'
  const manifests = await rendered([...required, '--set', `${tls},${sasl}`])
  const { containers, volumes } = manifestOf(manifests, 'Deployment').spec.template.spec
  const [{ args, env = [], volumeMounts }] = containers
  assert.deepEqual([args, env], [['run', '--config', '/etc/kubedelta/kubedelta.yaml'], []])
  const secrets = volumes.filter(({ secret }) => secret !== undefined).map(({ name }) => name)
  assert.deepEqual(secrets, ['kafka-sasl', 'kafka-tls'])
  for (const name of secrets) {
    const mount = volumeMounts.find((each) => each.name === name)
    // The kubelet renews the files of a whole volume; a file mounted by subPath stays what it was.
    assert.deepEqual([mount?.['readOnly'], mount?.['subPath']], [true, undefined])
  }
})

test('what config says of a file wins over the mounted Secret', async () => {
  const tls = 'kafka.tls.existingSecret=certificates,kafka.tls.ca=,config.kafkaTlsCa=/extra/ca.crt'
  const options = optionsIn(await rendered([...required, '--set', tls]))
  assert.equal(options.kafkaTlsCa, '/extra/ca.crt')
})

describe('what may be listed and watched', () => {
  const cases = [
    {
      name: 'follows from plurals, with or without the group of what is built in',
      config: {
        resources: ['pods', 'deployments', 'jobs.batch', 'ingresses.v1.networking.k8s.io', 'tests.example.com'],
      },
      wanted: [
        '* get /namespaces/kube-system',
        '* list,watch /pods',
        '* list,watch apps/deployments',
        '* list,watch batch/jobs',
        '* list,watch example.com/tests',
        '* list,watch networking.k8s.io/ingresses',
      ],
    },
    {
      name: 'is confined to the namespaces that are selected',
      config: {
        clusterId: 'id',
        namespace: ['shop'],
        resources: ['pods', { resource: 'jobs', namespaces: 'shop,web' }],
      },
      wanted: ['shop list,watch /pods', 'shop list,watch batch/jobs', 'web list,watch batch/jobs'],
    },
    {
      name: 'spans the cluster where one entry has no namespaces',
      config: { clusterId: 'id', namespace: 'shop', resources: ['pods', { resource: 'nodes', namespaces: [] }] },
      wanted: ['* list,watch /nodes', 'shop list,watch /pods'],
    },
  ]
  for (const { name, config, wanted } of cases) {
    test(name, async () => {
      assert.deepEqual(rightsIn(await rendered([...required, '-f', valuesFile({ config })])), wanted)
    })
  }

  test("never includes Secrets, Leases or what is excluded where '*' is selected", async () => {
    const config = { exclude: 'configmaps,deployments,events' }
    const rights = rightsIn(await rendered([...required, '-f', valuesFile({ config })]))
    assert.ok(rights.includes('* list,watch /pods') && rights.includes('* list,watch apps/statefulsets'))
    const kept = /\/(secrets|leases|configmaps|deployments|events|\*)$/
    assert.deepEqual(
      rights.filter((right) => kept.test(right)),
      [],
    )
  })

  test("is nothing cluster-scoped where '*' is selected in namespaces", async () => {
    const config = { clusterId: 'id', namespace: ['shop'] }
    const rights = rightsIn(await rendered([...required, '-f', valuesFile({ config })]))
    assert.ok(rights.includes('shop list,watch /pods'))
    assert.deepEqual(
      rights.filter((right) => !right.startsWith('shop ') || right.endsWith('/nodes')),
      [],
    )
  })

  test('is for somebody else to say with rbac.create=false', async () => {
    assert.deepEqual(rightsIn(await rendered([...required, '--set', 'rbac.create=false'])), [])
  })
})

describe('helm says what is wrong', () => {
  const cases: ReadonlyArray<{ readonly name: string; readonly flags: readonly string[]; readonly says: RegExp }> = [
    { name: 'to and cluster missing', flags: [], says: /missing properties 'to', 'cluster'/ },
    {
      name: 'a URL of another scheme',
      flags: ['--set', 'to=http://kafka:9092,cluster=prod'],
      says: /at '\/to': 'http:\/\/kafka:9092' does not match pattern '\^\(kafka:\/\/\|file:\)/,
    },
    {
      name: 'a cluster that is no DNS label',
      flags: ['--set', 'to=kafka://kafka:9092,cluster=Prod'],
      says: /at '\/cluster': 'Prod' does not match pattern/,
    },
    {
      name: 'an unknown option',
      flags: [...required, '--set', 'config.qsp=10'],
      says: /at '\/config': additional properties 'qsp' not allowed/,
    },
    {
      name: 'a required value in config',
      flags: [...required, '--set', 'config.cluster=other'],
      says: /at '\/config': additional properties 'cluster' not allowed/,
    },
    {
      name: 'replicas that must not elect the one that writes',
      flags: [...required, '--set', 'replicas=2,config.leaderElect=false'],
      says: /Cannot run 2 replicas: wanted config\.leaderElect true, or 1 replica/,
    },
    {
      name: 'probes that could not reach the bridge',
      flags: [...required, '--set', 'config.metricsListen=127.0.0.1:9464'],
      says: /at '\/config\/metricsListen': '127\.0\.0\.1:9464' does not match pattern/,
    },
    {
      name: 'a short name, which no rule can hold',
      flags: [...required, '--set', 'config.resources={po}'],
      says: /Cannot grant what config\.resources needs: wanted plurals such as pods, .*: current value is "po"/,
    },
    {
      name: 'a kind that is excluded',
      flags: [...required, '--set', 'config.exclude={deployment}'],
      says: /Cannot grant what config\.exclude needs: wanted plurals such as pods, .*: current value is "deployment"/,
    },
  ]
  for (const { name, flags, says } of cases) {
    test(name, async () => {
      await assert.rejects(renderChart(flags, { home }), says)
    })
  }
})

async function rendered(flags: readonly string[]): Promise<readonly Manifest[]> {
  return manifestsOf(await renderChart(flags, { home }))
}

let files = 0

function valuesFile(values: object): string {
  const path = join(home.path, `values-${(files += 1)}.json`)
  writeFileSync(path, JSON.stringify(values))
  return path
}

/** `NAMESPACE VERBS GROUP/RESOURCE[/NAME]`, sorted; `*` for the whole cluster. */
function rightsIn(manifests: readonly Manifest[]): readonly string[] {
  return manifests
    .filter((manifest) => manifest.kind === 'Role' || manifest.kind === 'ClusterRole')
    .flatMap(({ metadata, rules }) =>
      rules.flatMap(({ apiGroups, resources, resourceNames = [''], verbs }) =>
        apiGroups.flatMap((group) =>
          resources.flatMap((resource) =>
            resourceNames.map((name) =>
              `${metadata.namespace ?? '*'} ${verbs.join()} ${group}/${resource}/${name}`.replace(/\/$/, ''),
            ),
          ),
        ),
      ),
    )
    .toSorted()
}
