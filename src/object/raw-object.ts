// One Kubernetes object as the JSON bytes the apiserver wrote, with the few facts that routing needs.

/**
 * An object that travels as bytes.
 *
 * `bytes` is one valid UTF-8 JSON object without insignificant whitespace, kind and apiVersion first where the apiserver
 * left them out; it owns its memory, so keeping it pins no socket buffer.
 */
export interface RawObject {
  readonly bytes: Buffer
  readonly apiVersion: string
  readonly kind: string
  /** '' for cluster scope. */
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly resourceVersion: string
  /** Why `bytes` is empty: what came could not be read beyond these facts. Only of a source that was told to show such objects. */
  readonly unreadable?: 'not-utf8'
}
