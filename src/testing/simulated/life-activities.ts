// What happens in a cluster's life, each as a row of single changes.

import { itemsAt, membersAt, textAt, type JsonObject } from './json.ts'
import { APPS, deployment, event, job, nodeReady, pod, replicaSet, replicaStatus, running } from './life-objects.ts'
import { replicasOf, type World } from './life-world.ts'
import { uidOf } from './metadata.ts'

/** Goes on by one change a step. */
export type Activity = Generator<void, void, void>

export interface LifeSize {
  /** Most pods that Deployments scale to. */
  readonly maxReplicas: number
  /** About how large a pod is, in bytes. */
  readonly podBytes: number
}

/** Makes the ReplicaSet and the pods of a Deployment as its spec wants them: a new template in place of the old one, pod by pod. */
export function* reconcile(world: World, asked: JsonObject, size: LifeSize): Activity {
  const template = membersAt(asked, 'spec', 'template', 'spec')
  const sets = world.ownedBy(asked, 'replicasets.apps')
  const current = sets.find((set) => isSameImages(membersAt(set, 'spec', 'template', 'spec'), template))
  const set = current ?? world.create(replicaSet(asked, world.chance.suffix(10), replicasOf(asked)))
  if (current === undefined) yield
  if (set === undefined) return
  if (replicasOf(set) !== replicasOf(asked)) {
    world.patch('replicasets.apps', set, { spec: { replicas: replicasOf(asked) } })
    yield
  }
  const old = sets.filter((other) => other !== current).flatMap((other) => world.ownedBy(other, 'pods'))
  for (let missing = replicasOf(asked) - world.ownedBy(set, 'pods').length; missing > 0; missing -= 1) {
    yield* start(world, set, size)
    const replaced = old.shift()
    if (replaced !== undefined) yield* remove(world, 'pods', replaced)
  }
  const surplus = world.ownedBy(set, 'pods').slice(replicasOf(asked))
  for (const each of [...old, ...surplus]) yield* remove(world, 'pods', each)
  for (const emptied of sets.filter((other) => other !== current && replicasOf(other) > 0)) {
    world.patch('replicasets.apps', emptied, { spec: { replicas: 0 } })
    yield
  }
  for (const forgotten of sets.filter((other) => other !== current).slice(0, -OLD_SETS)) {
    yield* remove(world, 'replicasets.apps', forgotten)
  }
  world.patch('replicasets.apps', set, { status: replicaStatus(set, replicasOf(asked)) })
  yield
  world.patch('deployments.apps', asked, { status: replicaStatus(asked, replicasOf(asked)) })
  yield
}

/** ReplicaSets of earlier versions that a Deployment keeps: fewer than the 10 of a real one, so that something goes. */
const OLD_SETS = 2

/** A pod from its creation until it runs. */
function* start(world: World, owner: JsonObject, size: LifeSize): Activity {
  const made = world.create(pod(owner, world.chance, { bytes: size.podBytes }))
  yield
  if (made === undefined) return
  const scheduled = world.patch('pods', made, { spec: { nodeName: world.anyNode() } })
  yield
  if (scheduled === undefined) return
  world.patch('pods', scheduled, { status: running(scheduled, world.now()) })
  yield
}

function* remove(world: World, resource: string, object: JsonObject): Activity {
  world.delete(resource, object)
  yield
}

/** A new version of an application. */
export function* rollOut(world: World, size: LifeSize): Activity {
  yield* onDeployment(world, size, (chosen) => {
    const containers = itemsAt(chosen, 'spec', 'template', 'spec', 'containers')
    const version = `1.${world.chance.below(100)}.${world.chance.below(100)}`
    const renewed = containers.map((each) => ({
      ...membersAt(each),
      image: `${textAt(each, 'image').split(':')[0]}:${version}`,
    }))
    return { spec: { template: { spec: { containers: renewed } } } }
  })
}

/** More or fewer pods for an application. */
export function* scale(world: World, size: LifeSize): Activity {
  yield* onDeployment(world, size, () => ({ spec: { replicas: 1 + world.chance.below(size.maxReplicas) } }))
}

function* onDeployment(world: World, size: LifeSize, change: (chosen: JsonObject) => JsonObject): Activity {
  const chosen = world.anyFree('deployments.apps')
  if (chosen === undefined) return
  yield* alone(world, chosen, function* () {
    const changed = world.patch('deployments.apps', chosen, change(chosen))
    yield
    if (changed !== undefined) yield* reconcile(world, changed, size)
  })
}

/** A pod is put off its node and replaced. */
export function* evict(world: World, size: LifeSize): Activity {
  const chosen = world.anyFree('deployments.apps')
  if (chosen === undefined) return
  yield* alone(world, chosen, function* () {
    const victim = world.chance.oneOf(
      world.ownedBy(chosen, 'replicasets.apps').flatMap((set) => world.ownedBy(set, 'pods')),
    )
    if (victim === undefined) return
    yield* tell(world, victim, { reason: 'Evicted', message: 'The node was low on resource: memory.' })
    yield* remove(world, 'pods', victim)
    yield* reconcile(world, chosen, size)
  })
}

/** A container dies and is started again. */
export function* crash(world: World): Activity {
  const victim = world.anyFree('pods')
  if (victim === undefined || textAt(victim, 'status', 'phase') !== 'Running') return
  const [before] = itemsAt(victim, 'status', 'containerStatuses')
  const restarts = Number(membersAt(before)['restartCount'] ?? 0) + 1
  yield* tell(world, victim, { reason: 'BackOff', message: 'Back-off restarting failed container' })
  world.patch('pods', victim, { status: running(victim, world.now(), restarts) })
  yield
}

/** A node is lost with all that runs there, and comes back later. */
export function* loseNode(world: World, size: LifeSize): Activity {
  const lost = world.anyFree('nodes')
  if (lost === undefined || world.all('nodes').length - world.busy.size < 2) return
  yield* alone(world, lost, function* () {
    world.patch('nodes', lost, { status: { conditions: [nodeReady('Unknown', world.now())] } })
    yield
    const name = textAt(lost, 'metadata', 'name')
    for (const gone of world.all('pods').filter((each) => textAt(each, 'spec', 'nodeName') === name)) {
      yield* remove(world, 'pods', gone)
    }
    for (const asked of world.all('deployments.apps').filter((each) => !world.busy.has(uidOf(each)))) {
      yield* alone(world, asked, () => reconcile(world, asked, size))
    }
    world.patch('nodes', lost, { status: { conditions: [nodeReady('True', world.now())] } })
    yield
  })
}

/** Somebody changes settings, or a password is renewed. */
export function* reconfigure(world: World): Activity {
  const isSecret = world.chance.isTrue(0.3)
  const resource = isSecret ? 'secrets' : 'configmaps'
  const chosen = world.anyFree(resource)
  if (chosen === undefined) return
  const value = world.chance.suffix(12)
  const data = isSecret
    ? { password: Buffer.from(value).toString('base64') }
    : { 'settings.yaml': `revision: ${value}\n` }
  world.patch(resource, chosen, { data })
  yield
}

/** A Job runs, is done, and is cleared away with its pod. */
export function* runJob(world: World, size: LifeSize): Activity {
  const place = world.anyFree('deployments.apps')
  const namespace = textAt(place, 'metadata', 'namespace')
  const made = place && world.create(job(`report-${world.chance.suffix()}`, namespace))
  yield
  if (made === undefined) return
  yield* alone(world, made, function* () {
    yield* start(world, made, size)
    for (const worker of world.ownedBy(made, 'pods')) {
      world.patch('pods', worker, { status: { ...membersAt(worker, 'status'), phase: 'Succeeded' } })
      yield
    }
    world.patch('jobs.batch', made, { status: { succeeded: 1, completionTime: world.now() } })
    yield
    yield* remove(world, 'jobs.batch', made)
  })
}

/** Somebody tries something in a namespace of its own, which goes with all that is in it. */
export function* preview(world: World, size: LifeSize): Activity {
  const name = `preview-${world.chance.suffix()}`
  const made = world.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })
  yield
  if (made === undefined) return
  yield* alone(world, made, function* () {
    const app = world.chance.oneOf(APPS) ?? 'app'
    const asked = world.create(deployment(app, name, 1))
    yield
    if (asked !== undefined) yield* alone(world, asked, () => reconcile(world, asked, size))
    yield* remove(world, 'namespaces', made)
  })
}

/** Old Events go, as their time to live passes. */
export function* forget(world: World): Activity {
  const events = world.all('events')
  for (const old of events.slice(0, Math.ceil(events.length / 4))) yield* remove(world, 'events', old)
}

function* tell(world: World, about: JsonObject, what: { readonly reason: string; readonly message: string }): Activity {
  world.create(event(about, what, world.now(), world.chance.suffix(16)))
  yield
}

/** Keeps other activities from an object meanwhile. */
function* alone(world: World, object: JsonObject, activity: () => Activity): Activity {
  const uid = uidOf(object)
  world.busy.add(uid)
  try {
    yield* activity()
  } finally {
    world.busy.delete(uid)
  }
}

function isSameImages(a: JsonObject, b: JsonObject): boolean {
  const [ours, theirs] = [a, b].map((spec) =>
    itemsAt(spec, 'containers')
      .map((each) => textAt(each, 'image'))
      .join(),
  )
  return ours === theirs
}
