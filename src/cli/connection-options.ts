// The options of who is connected to, and how: apiserver and brokers.

import type { OptionSpec } from './option-spec.ts'

const ofCluster = { commands: ['run', 'verify', 'topics'], group: 'Kubernetes' } as const
const ofKafka = { commands: ['run', 'tail', 'get', 'verify', 'topics'], group: 'Kafka' } as const

/** Credentials for the apiserver, found as kubectl finds them. */
export const clusterOptions = {
  kubeconfig: {
    type: 'string',
    placeholder: 'FILE',
    description: 'Credentials for the apiserver',
    defaultText: 'KUBECONFIG, ~/.kube/config, in-cluster',
    ...ofCluster,
  },
  context: {
    type: 'string',
    placeholder: 'NAME',
    description: 'Context of the kubeconfig',
    defaultText: 'its current context',
    ...ofCluster,
  },
  server: {
    type: 'string',
    placeholder: 'URL',
    description: 'Address of the apiserver, in place of the kubeconfig',
    ...ofCluster,
  },
  certificateAuthority: {
    type: 'string',
    placeholder: 'FILE',
    description: 'CA certificates for the apiserver, PEM',
    ...ofCluster,
  },
  insecureSkipTlsVerify: { type: 'boolean', description: "Do not check the apiserver's certificate", ...ofCluster },
  qps: {
    type: 'integer',
    minimum: 1,
    default: 50,
    placeholder: 'N',
    description: 'Requests per second to the apiserver, in the long run',
    ...ofCluster,
  },
  burst: {
    type: 'integer',
    minimum: 1,
    default: 100,
    placeholder: 'N',
    description: 'Requests to the apiserver that may go out at once',
    ...ofCluster,
  },
} as const satisfies Readonly<Record<string, OptionSpec>>

/** TLS and SASL towards the brokers; secrets come from files and the environment only. */
export const kafkaOptions = {
  kafkaTls: { type: 'boolean', description: 'Speak TLS to the brokers, trusting public CAs', ...ofKafka },
  kafkaTlsCa: {
    type: 'string',
    placeholder: 'FILE',
    description: 'CA certificates for the brokers, PEM; turns TLS on',
    ...ofKafka,
  },
  kafkaTlsCert: {
    type: 'string',
    placeholder: 'FILE',
    description: 'Client certificate for the brokers, PEM; turns TLS on',
    ...ofKafka,
  },
  kafkaTlsKey: { type: 'string', placeholder: 'FILE', description: 'Key of the client certificate, PEM', ...ofKafka },
  kafkaSaslMechanism: {
    type: 'choice',
    choices: ['plain', 'scram-sha-256', 'scram-sha-512', 'oauthbearer'],
    description: 'SASL mechanism for the brokers',
    ...ofKafka,
  },
  kafkaSaslUsername: {
    type: 'string',
    placeholder: 'NAME',
    description: 'SASL user; the password comes from --kafka-sasl-password-file or KUBEDELTA_KAFKA_SASL_PASSWORD',
    ...ofKafka,
  },
  kafkaSaslPasswordFile: {
    type: 'string',
    placeholder: 'FILE',
    description: 'File that holds the SASL password',
    ...ofKafka,
  },
  kafkaSaslTokenFile: {
    type: 'string',
    placeholder: 'FILE',
    description: 'File that holds the OAUTHBEARER token, read again for each connection',
    ...ofKafka,
  },
} as const satisfies Readonly<Record<string, OptionSpec>>
