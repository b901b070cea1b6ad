// The namespace that a command means when nobody names one: kubectl's rule.

import { hasCode } from '../base/errors.ts'
import { loadCredentials } from '../kube/credentials.ts'
import type { CommandContext } from './context.ts'

/** The namespace of the kubeconfig's current context, `default` without one. */
export function defaultNamespace({ environment }: Pick<CommandContext, 'environment'>): string {
  try {
    return loadCredentials({ env: environment }).namespace ?? 'default'
  } catch (error) {
    // No apiserver is asked here, so a machine without a kubeconfig, or with a broken one, is no obstacle.
    if (hasCode(error, 'usage', 'unauthorized')) return 'default'
    throw error
  }
}
