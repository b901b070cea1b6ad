// Tells whether this process waits for files: they are read and written in real time, whatever the clock of a test says.

/** Whether something that was asked of the file system has no answer yet. Watches of files do not count. */
export function awaitsFiles(): boolean {
  return process.getActiveResourcesInfo().some((each) => each.startsWith('FSReq') || each === 'CloseReq')
}
