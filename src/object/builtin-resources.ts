// The collections every cluster serves, for commands that name resources without asking an apiserver.

import { parseResourceName } from './resource.ts'

/** `plural[.group]` -> singular, then short names; what can be listed and watched in Kubernetes 1.36. */
const BUILTIN: Readonly<Record<string, readonly [singular: string, ...shortNames: string[]]>> = {
  configmaps: ['configmap', 'cm'],
  endpoints: ['endpoints', 'ep'],
  events: ['event', 'ev'],
  limitranges: ['limitrange', 'limits'],
  namespaces: ['namespace', 'ns'],
  nodes: ['node', 'no'],
  persistentvolumeclaims: ['persistentvolumeclaim', 'pvc'],
  persistentvolumes: ['persistentvolume', 'pv'],
  pods: ['pod', 'po'],
  podtemplates: ['podtemplate'],
  replicationcontrollers: ['replicationcontroller', 'rc'],
  resourcequotas: ['resourcequota', 'quota'],
  secrets: ['secret'],
  serviceaccounts: ['serviceaccount', 'sa'],
  services: ['service', 'svc'],
  'mutatingadmissionpolicies.admissionregistration.k8s.io': ['mutatingadmissionpolicy'],
  'mutatingadmissionpolicybindings.admissionregistration.k8s.io': ['mutatingadmissionpolicybinding'],
  'mutatingwebhookconfigurations.admissionregistration.k8s.io': ['mutatingwebhookconfiguration'],
  'validatingadmissionpolicies.admissionregistration.k8s.io': ['validatingadmissionpolicy'],
  'validatingadmissionpolicybindings.admissionregistration.k8s.io': ['validatingadmissionpolicybinding'],
  'validatingwebhookconfigurations.admissionregistration.k8s.io': ['validatingwebhookconfiguration'],
  'customresourcedefinitions.apiextensions.k8s.io': ['customresourcedefinition', 'crd', 'crds'],
  'apiservices.apiregistration.k8s.io': ['apiservice'],
  'controllerrevisions.apps': ['controllerrevision'],
  'daemonsets.apps': ['daemonset', 'ds'],
  'deployments.apps': ['deployment', 'deploy'],
  'replicasets.apps': ['replicaset', 'rs'],
  'statefulsets.apps': ['statefulset', 'sts'],
  'horizontalpodautoscalers.autoscaling': ['horizontalpodautoscaler', 'hpa'],
  'cronjobs.batch': ['cronjob', 'cj'],
  'jobs.batch': ['job'],
  'certificatesigningrequests.certificates.k8s.io': ['certificatesigningrequest', 'csr'],
  'clustertrustbundles.certificates.k8s.io': ['clustertrustbundle'],
  'leases.coordination.k8s.io': ['lease'],
  'endpointslices.discovery.k8s.io': ['endpointslice'],
  'events.events.k8s.io': ['event', 'ev'],
  'flowschemas.flowcontrol.apiserver.k8s.io': ['flowschema'],
  'prioritylevelconfigurations.flowcontrol.apiserver.k8s.io': ['prioritylevelconfiguration'],
  'ingressclasses.networking.k8s.io': ['ingressclass'],
  'ingresses.networking.k8s.io': ['ingress', 'ing'],
  'ipaddresses.networking.k8s.io': ['ipaddress', 'ip'],
  'networkpolicies.networking.k8s.io': ['networkpolicy', 'netpol'],
  'servicecidrs.networking.k8s.io': ['servicecidr'],
  'runtimeclasses.node.k8s.io': ['runtimeclass'],
  'poddisruptionbudgets.policy': ['poddisruptionbudget', 'pdb'],
  'clusterrolebindings.rbac.authorization.k8s.io': ['clusterrolebinding'],
  'clusterroles.rbac.authorization.k8s.io': ['clusterrole'],
  'rolebindings.rbac.authorization.k8s.io': ['rolebinding'],
  'roles.rbac.authorization.k8s.io': ['role'],
  'deviceclasses.resource.k8s.io': ['deviceclass'],
  'resourceclaims.resource.k8s.io': ['resourceclaim'],
  'resourceclaimtemplates.resource.k8s.io': ['resourceclaimtemplate'],
  'resourceslices.resource.k8s.io': ['resourceslice'],
  'priorityclasses.scheduling.k8s.io': ['priorityclass', 'pc'],
  'csidrivers.storage.k8s.io': ['csidriver'],
  'csinodes.storage.k8s.io': ['csinode'],
  'csistoragecapacities.storage.k8s.io': ['csistoragecapacity'],
  'storageclasses.storage.k8s.io': ['storageclass', 'sc'],
  'volumeattachments.storage.k8s.io': ['volumeattachment'],
  'volumeattributesclasses.storage.k8s.io': ['volumeattributesclass', 'vac'],
}

/**
 * `plural[.group]` of a resource as a user names it: `po`, `Deployment`, `deploy.apps`. What is not built in is taken for
 * a plural and its group, and only put in lower case.
 */
export function builtinResourceName(text: string): string {
  const asked = text.toLowerCase()
  const { group, resource: name } = parseResourceName(asked)
  const isGroupAsked = asked.includes('.')
  const found = Object.entries(BUILTIN).find(([full, names]) => {
    const builtin = parseResourceName(full)
    return (!isGroupAsked || group === builtin.group) && (name === builtin.resource || names.includes(name))
  })
  return found?.[0] ?? asked
}
