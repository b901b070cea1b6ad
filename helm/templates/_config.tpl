{{/* The configuration file of `kubedelta run`: `to`, `cluster`, all of `config`, and where Secrets are mounted. */}}
{{- define "kubedelta.config" -}}
{{- $config := dict "to" .Values.to "cluster" .Values.cluster -}}
{{- if include "kubedelta.elects" . -}}
{{- $config = merge $config (dict "leaderElect" true "leaderElectNamespace" (include "kubedelta.leaseNamespace" .)) -}}
{{- end -}}
{{- with .Values.kafka.sasl -}}
{{- if .existingSecret -}}
{{- $option := eq (default "" $.Values.config.kafkaSaslMechanism) "oauthbearer" | ternary "kafkaSaslTokenFile" "kafkaSaslPasswordFile" -}}
{{- $_ := set $config $option (printf "%s/%s" (include "kubedelta.saslFolder" $) .key) -}}
{{- end -}}
{{- end -}}
{{- with .Values.kafka.tls -}}
{{- if .existingSecret -}}
{{- $folder := include "kubedelta.tlsFolder" $ -}}
{{- with .ca }}{{ $_ := set $config "kafkaTlsCa" (printf "%s/%s" $folder .) }}{{ end -}}
{{- with .cert }}{{ $_ := set $config "kafkaTlsCert" (printf "%s/%s" $folder .) }}{{ end -}}
{{- with .key }}{{ $_ := set $config "kafkaTlsKey" (printf "%s/%s" $folder .) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- toYaml (merge (deepCopy .Values.config) $config) -}}
{{- end -}}

{{/* Not empty where the pods elect the one that writes: from two replicas on, or where config says so. */}}
{{- define "kubedelta.elects" -}}
{{- if ge (int .Values.replicas) 2 -}}
{{- if and (hasKey .Values.config "leaderElect") (not .Values.config.leaderElect) -}}
{{- fail (printf "Cannot run %d replicas: wanted config.leaderElect true, or 1 replica: one bridge writes a topic: current value is false" (int .Values.replicas)) -}}
{{- end -}}
true
{{- else if .Values.config.leaderElect -}}
true
{{- end -}}
{{- end -}}

{{- define "kubedelta.leaseName" -}}
{{- default (printf "kubedelta-%s" .Values.cluster) .Values.config.leaderElectName -}}
{{- end -}}

{{- define "kubedelta.leaseNamespace" -}}
{{- default .Release.Namespace .Values.config.leaderElectNamespace -}}
{{- end -}}

{{- define "kubedelta.configFolder" -}}/etc/kubedelta{{- end -}}
{{- define "kubedelta.saslFolder" -}}/etc/kubedelta-kafka-sasl{{- end -}}
{{- define "kubedelta.tlsFolder" -}}/etc/kubedelta-kafka-tls{{- end -}}

{{/* The port of config.metricsListen, which probes and Service need too. */}}
{{- define "kubedelta.port" -}}
{{- regexFind "[0-9]+$" .Values.config.metricsListen -}}
{{- end -}}
