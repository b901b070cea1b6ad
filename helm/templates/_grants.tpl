{{/*
What may be listed and watched, as YAML: namespace ('' for the whole cluster) -> resources as plural[.group].
It follows from config.resources, config.namespace and config.exclude alone.
*/}}
{{- define "kubedelta.grants" -}}
{{- $config := .Values.config -}}
{{- $grants := dict -}}
{{- range $entry := include "kubedelta.listOf" $config.resources | fromYamlArray -}}
{{- $name := $entry -}}
{{- $namespaces := include "kubedelta.listOf" $config.namespace | fromYamlArray -}}
{{- if kindIs "map" $entry -}}
{{- $name = $entry.resource -}}
{{- if hasKey $entry "namespaces" }}{{ $namespaces = include "kubedelta.listOf" $entry.namespaces | fromYamlArray }}{{ end -}}
{{- end -}}
{{- $isWhole := empty $namespaces -}}
{{- $names := list -}}
{{- if eq $name "*" -}}
{{- $names = include "kubedelta.everything" (dict "root" $ "withClusterScoped" $isWhole) | fromYamlArray -}}
{{- else -}}
{{- $names = list (include "kubedelta.resource" (dict "root" $ "name" $name "where" "config.resources")) -}}
{{- end -}}
{{- range $namespace := $isWhole | ternary (list "") $namespaces -}}
{{- $_ := set $grants $namespace (concat (default list (get $grants $namespace)) $names | uniq) -}}
{{- end -}}
{{- end -}}
{{- toYaml $grants -}}
{{- end -}}

{{/* What '*' stands for, as the command line has it: no Secrets, no Leases, one of two kinds of Events, and config.exclude. */}}
{{- define "kubedelta.everything" -}}
{{- $builtIn := .root.Files.Get "files/built-in-resources.yaml" | fromYaml -}}
{{- $left := list "secrets" "leases.coordination.k8s.io" "events" -}}
{{- range include "kubedelta.listOf" .root.Values.config.exclude | fromYamlArray -}}
{{- $left = append $left (include "kubedelta.resource" (dict "root" $.root "name" . "where" "config.exclude")) -}}
{{- /* The two kinds of Events are one collection under two names. */ -}}
{{- if eq . "events" }}{{ $left = append $left "events.events.k8s.io" }}{{ end -}}
{{- end -}}
{{- $names := $builtIn.namespaced -}}
{{- if .withClusterScoped }}{{ $names = concat $names $builtIn.clusterScoped }}{{ end -}}
{{- $kept := list -}}
{{- range $names }}{{ if not (has . $left) }}{{ $kept = append $kept . }}{{ end }}{{ end -}}
{{- toYaml $kept -}}
{{- end -}}

{{/*
plural[.group] of a name, which may leave out the group of what is built in, or hold a version: deployments.v1.apps.
Without a cluster to ask, short names, kinds and singulars cannot be told from a misspelt plural.
*/}}
{{- define "kubedelta.resource" -}}
{{- if contains "." .name -}}
{{- regexReplaceAll "^([^.]+)\\.v[0-9]+(?:(?:alpha|beta)[0-9]+)?\\.(.+)$" .name "${1}.${2}" -}}
{{- else -}}
{{- $builtIn := .root.Files.Get "files/built-in-resources.yaml" | fromYaml -}}
{{- $found := "" -}}
{{- range concat $builtIn.namespaced $builtIn.clusterScoped -}}
{{- if and (not $found) (or (eq . $.name) (hasPrefix (printf "%s." $.name) .)) }}{{ $found = . }}{{ end -}}
{{- end -}}
{{- if not $found -}}
{{- fail (printf "Cannot grant what %s needs: wanted plurals such as pods, deployments or certificates.cert-manager.io: current value is %q" .where .name) -}}
{{- end -}}
{{- $found -}}
{{- end -}}
{{- end -}}

{{/* A list option as a list, whether it is one, a comma separated text, or absent. */}}
{{- define "kubedelta.listOf" -}}
{{- $items := list -}}
{{- if kindIs "string" . -}}
{{- range splitList "," . }}{{ with trim . }}{{ $items = append $items . }}{{ end }}{{ end -}}
{{- else if . -}}
{{- $items = . -}}
{{- end -}}
{{- toYaml $items -}}
{{- end -}}

{{/* One rule for each API group among the resources of a scope. */}}
{{- define "kubedelta.rules" -}}
{{- $groups := dict -}}
{{- range . -}}
{{- $plural := splitList "." . | first -}}
{{- $group := trimPrefix $plural . | trimPrefix "." -}}
{{- $_ := set $groups $group (append (default list (get $groups $group)) $plural) -}}
{{- end -}}
{{- range $group, $plurals := $groups }}
- apiGroups: [{{ $group | quote }}]
  resources: [{{ $plurals | sortAlpha | join ", " }}]
  verbs: [list, watch]
{{- end -}}
{{- end -}}
