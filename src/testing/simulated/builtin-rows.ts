// The built-in kinds that a simulated cluster serves, as data.

import type { Json } from './json.ts'

/** One line of the table; what is left out is false, empty, or follows from the rest. */
export interface KindRow {
  /** `v1`, `apps/v1` */
  readonly api: string
  readonly resource: string
  readonly kind: string
  readonly short?: readonly string[]
  /** Cluster-scoped. */
  readonly cluster?: true
  /** Has the subresource status. */
  readonly status?: true
  /** Has metadata.generation. */
  readonly generation?: true
  /** Is of the category all. */
  readonly all?: true
  /** Selectable fields, and what they read as where they are absent. */
  readonly fields?: Readonly<Record<string, Json>>
  /** What an empty object prints. */
  readonly blank?: Readonly<Record<string, Json>>
}

const BLANK_TEMPLATE = { metadata: {}, spec: { containers: null } }

const BLANK_NODE_STATUS = {
  daemonEndpoints: { kubeletEndpoint: { Port: 0 } },
  nodeInfo: {
    machineID: '',
    systemUUID: '',
    bootID: '',
    kernelVersion: '',
    osImage: '',
    containerRuntimeVersion: '',
    kubeletVersion: '',
    kubeProxyVersion: '',
    operatingSystem: '',
    architecture: '',
  },
}

const POD_FIELDS = {
  'spec.nodeName': '',
  'spec.restartPolicy': 'Always',
  'spec.schedulerName': 'default-scheduler',
  'spec.serviceAccountName': '',
  'spec.hostNetwork': false,
  'status.phase': '',
  'status.podIP': '',
  'status.nominatedNodeName': '',
}

const EVENT_FIELDS = {
  'involvedObject.kind': '',
  'involvedObject.namespace': '',
  'involvedObject.name': '',
  'involvedObject.uid': '',
  'involvedObject.apiVersion': '',
  'involvedObject.resourceVersion': '',
  'involvedObject.fieldPath': '',
  reason: '',
  reportingComponent: '',
  source: '',
  type: '',
}

const BLANK_EVENT = {
  involvedObject: {},
  source: {},
  firstTimestamp: null,
  lastTimestamp: null,
  eventTime: null,
  reportingComponent: '',
  reportingInstance: '',
}

const BLANK_DEFINITION = {
  spec: { group: '', names: { plural: '', kind: '' }, scope: '', versions: null },
  status: { conditions: null, acceptedNames: { plural: '', kind: '' }, storedVersions: null },
}

/** Groups in the order in which discovery answers them, then resources by name. */
export const BUILTIN_ROWS: readonly KindRow[] = [
  { api: 'v1', resource: 'configmaps', kind: 'ConfigMap', short: ['cm'] },
  { api: 'v1', resource: 'endpoints', kind: 'Endpoints', short: ['ep'] },
  { api: 'v1', resource: 'events', kind: 'Event', short: ['ev'], fields: EVENT_FIELDS, blank: BLANK_EVENT },
  { api: 'v1', resource: 'limitranges', kind: 'LimitRange', short: ['limits'], blank: { spec: { limits: null } } },
  {
    api: 'v1',
    resource: 'namespaces',
    kind: 'Namespace',
    short: ['ns'],
    cluster: true,
    status: true,
    fields: { 'status.phase': '' },
    blank: { spec: {}, status: {} },
  },
  {
    api: 'v1',
    resource: 'nodes',
    kind: 'Node',
    short: ['no'],
    cluster: true,
    status: true,
    fields: { 'spec.unschedulable': false },
    blank: { spec: {}, status: BLANK_NODE_STATUS },
  },
  {
    api: 'v1',
    resource: 'persistentvolumeclaims',
    kind: 'PersistentVolumeClaim',
    short: ['pvc'],
    status: true,
    blank: { spec: { resources: {} }, status: {} },
  },
  {
    api: 'v1',
    resource: 'persistentvolumes',
    kind: 'PersistentVolume',
    short: ['pv'],
    cluster: true,
    status: true,
    blank: { spec: {}, status: {} },
  },
  {
    api: 'v1',
    resource: 'pods',
    kind: 'Pod',
    short: ['po'],
    status: true,
    generation: true,
    all: true,
    fields: POD_FIELDS,
    blank: { spec: { containers: null }, status: {} },
  },
  { api: 'v1', resource: 'secrets', kind: 'Secret', fields: { type: '' } },
  { api: 'v1', resource: 'serviceaccounts', kind: 'ServiceAccount', short: ['sa'] },
  {
    api: 'v1',
    resource: 'services',
    kind: 'Service',
    short: ['svc'],
    status: true,
    all: true,
    fields: { 'spec.clusterIP': '', 'spec.type': '' },
    blank: { spec: {}, status: { loadBalancer: {} } },
  },
  {
    api: 'apps/v1',
    resource: 'daemonsets',
    kind: 'DaemonSet',
    short: ['ds'],
    status: true,
    generation: true,
    all: true,
    blank: {
      spec: { selector: null, template: BLANK_TEMPLATE, updateStrategy: {} },
      status: { currentNumberScheduled: 0, numberMisscheduled: 0, desiredNumberScheduled: 0, numberReady: 0 },
    },
  },
  {
    api: 'apps/v1',
    resource: 'deployments',
    kind: 'Deployment',
    short: ['deploy'],
    status: true,
    generation: true,
    all: true,
    blank: { spec: { replicas: 0, selector: null, template: BLANK_TEMPLATE, strategy: {} }, status: {} },
  },
  {
    api: 'apps/v1',
    resource: 'replicasets',
    kind: 'ReplicaSet',
    short: ['rs'],
    status: true,
    generation: true,
    all: true,
    blank: { spec: { replicas: 0, selector: null, template: BLANK_TEMPLATE }, status: { replicas: 0 } },
  },
  {
    api: 'apps/v1',
    resource: 'statefulsets',
    kind: 'StatefulSet',
    short: ['sts'],
    status: true,
    generation: true,
    all: true,
    blank: {
      spec: { replicas: 0, selector: null, template: BLANK_TEMPLATE, serviceName: '', updateStrategy: {} },
      status: { replicas: 0, availableReplicas: 0 },
    },
  },
  {
    api: 'batch/v1',
    resource: 'cronjobs',
    kind: 'CronJob',
    short: ['cj'],
    status: true,
    generation: true,
    all: true,
    blank: {
      spec: { schedule: '', jobTemplate: { metadata: {}, spec: { template: BLANK_TEMPLATE } } },
      status: {},
    },
  },
  {
    api: 'batch/v1',
    resource: 'jobs',
    kind: 'Job',
    status: true,
    generation: true,
    all: true,
    fields: { 'status.successful': 0 },
    blank: { spec: { template: BLANK_TEMPLATE }, status: {} },
  },
  {
    api: 'networking.k8s.io/v1',
    resource: 'ingresses',
    kind: 'Ingress',
    short: ['ing'],
    status: true,
    generation: true,
    blank: { spec: {}, status: { loadBalancer: {} } },
  },
  {
    api: 'policy/v1',
    resource: 'poddisruptionbudgets',
    kind: 'PodDisruptionBudget',
    short: ['pdb'],
    status: true,
    generation: true,
    blank: {
      spec: {},
      status: { disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 },
    },
  },
  {
    api: 'rbac.authorization.k8s.io/v1',
    resource: 'clusterrolebindings',
    kind: 'ClusterRoleBinding',
    cluster: true,
    blank: { roleRef: { apiGroup: '', kind: '', name: '' } },
  },
  {
    api: 'rbac.authorization.k8s.io/v1',
    resource: 'clusterroles',
    kind: 'ClusterRole',
    cluster: true,
    blank: { rules: null },
  },
  {
    api: 'rbac.authorization.k8s.io/v1',
    resource: 'rolebindings',
    kind: 'RoleBinding',
    blank: { roleRef: { apiGroup: '', kind: '', name: '' } },
  },
  { api: 'rbac.authorization.k8s.io/v1', resource: 'roles', kind: 'Role', blank: { rules: null } },
  {
    api: 'apiextensions.k8s.io/v1',
    resource: 'customresourcedefinitions',
    kind: 'CustomResourceDefinition',
    short: ['crd', 'crds'],
    cluster: true,
    status: true,
    generation: true,
    blank: BLANK_DEFINITION,
  },
  { api: 'coordination.k8s.io/v1', resource: 'leases', kind: 'Lease', blank: { spec: {} } },
  {
    api: 'discovery.k8s.io/v1',
    resource: 'endpointslices',
    kind: 'EndpointSlice',
    generation: true,
    blank: { addressType: '', endpoints: null, ports: null },
  },
]
