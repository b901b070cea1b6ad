// What a started command knows of its surroundings.

/** No kubeconfig, option or test runner of the surroundings; where Node keeps compiled modules saves time and changes nothing. */
export function bareEnvironment(home: string, more: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const { PATH, NODE_COMPILE_CACHE } = process.env
  return { PATH, HOME: home, ...(NODE_COMPILE_CACHE !== undefined && { NODE_COMPILE_CACHE }), ...more }
}
