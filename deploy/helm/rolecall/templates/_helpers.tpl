{{/* The name that every object begins with: at most 63 bytes, so that it fits a label and a Service. */}}
{{- define "rolecall.fullname" -}}
{{- $name := .Values.nameOverride | default .Chart.Name -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- .Values.fullnameOverride | default (replace "." "-" $full) | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* A name of at most 63 bytes with the suffix whole: (list $ "metrics"). */}}
{{- define "rolecall.named" -}}
{{- $suffix := printf "-%s" (last .) -}}
{{- $room := int (sub 63 (len $suffix)) -}}
{{- printf "%s%s" (include "rolecall.fullname" (first .) | trunc $room | trimSuffix "-") $suffix -}}
{{- end -}}

{{- define "rolecall.namespace" -}}
{{- .Values.namespaceOverride | default .Release.Namespace -}}
{{- end -}}

{{- define "rolecall.serviceAccount" -}}
{{- $made := ternary (include "rolecall.fullname" .) "default" .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default $made -}}
{{- end -}}

{{- define "rolecall.selector" -}}
app.kubernetes.io/name: {{ .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{/* What Helm adds when it installs (managed-by) is not said here: plain kubectl applies the same text. */}}
{{- define "rolecall.labels" -}}
{{- $ours := include "rolecall.selector" . | fromYaml -}}
{{- $version := .Chart.AppVersion | replace "+" "_" | trunc 63 -}}
{{- $ours = merge $ours (dict "app.kubernetes.io/part-of" "rolecall" "app.kubernetes.io/version" $version) -}}
{{- merge $ours .Values.commonLabels | toYaml -}}
{{- end -}}

{{/* One word of a flag: a number is not written as a float. */}}
{{- define "rolecall.word" -}}
{{- if kindIs "string" . }}{{ . }}{{ else }}{{ toJson . }}{{ end -}}
{{- end -}}

{{- define "rolecall.image" -}}
{{- $image := .Values.image -}}
{{- $name := $image.repository | default .Values.global.repository -}}
{{- with $image.registry }}{{ $name = printf "%s/%s" (trimSuffix "/" .) $name }}{{ end -}}
{{- $tag := $image.tag | default (ternary "" .Chart.AppVersion (not (empty $image.digest))) -}}
{{- with $tag }}{{ $name = printf "%s:%s" $name . }}{{ end -}}
{{- with $image.digest }}{{ $name = printf "%s@%s" $name . }}{{ end -}}
{{- $name -}}
{{- end -}}

{{/* The namespaces that are watched, joined by commas; empty is all of them. */}}
{{- define "rolecall.watched" -}}
{{- .Values.scopedNamespaces | default (compact (list .Values.scopedNamespace)) | join "," -}}
{{- end -}}

{{/* Those that have a Role in place of the ClusterRole, joined by commas. */}}
{{- define "rolecall.roles" -}}
{{- if or .Values.scopedNamespaces .Values.scopedRBAC }}{{ include "rolecall.watched" . }}{{ end -}}
{{- end -}}

{{- define "rolecall.leaseID" -}}
{{- .Values.leaderElectionID | default (include "rolecall.fullname" .) -}}
{{- end -}}

{{- define "rolecall.subject" -}}
- kind: ServiceAccount
  name: {{ include "rolecall.serviceAccount" . | quote }}
  namespace: {{ include "rolecall.namespace" . | quote }}
{{- end -}}

{{/* Whether the CRD of ClusterGenerator is wanted, by either spelling of the value. */}}
{{- define "rolecall.hasClusterGenerator" -}}
{{- if and .Values.crds.createClusterGenerator (dig "create" "ClusterGenerator" true .Values.crds) }}yes{{ end -}}
{{- end -}}

{{/*
One rule of a NetworkPolicy, as a list of one: ports, protocols (TCP where none is named), and peers or cidrs on a side,
which is "from" or "to". Without either it is anybody.
*/}}
{{- define "rolecall.allow" -}}
{{- $ports := list -}}
{{- range $protocol := .protocols | default (list "TCP") -}}
{{- range $.ports }}{{ $ports = append $ports (dict "port" (int .) "protocol" $protocol) }}{{ end -}}
{{- end -}}
{{- $peers := .peers | default list -}}
{{- range .cidrs }}{{ $peers = append $peers (dict "ipBlock" (dict "cidr" .)) }}{{ end -}}
{{- $rule := dict "ports" $ports -}}
{{- if $peers }}{{ $_ := set $rule .side $peers }}{{ end -}}
{{- list $rule | toYaml -}}
{{- end -}}

{{- define "rolecall.hasServiceMonitor" -}}
{{- if .Capabilities.APIVersions.Has "monitoring.coreos.com/v1" }}yes{{ end -}}
{{- end -}}

{{/* Values of External Secrets Operator that the schema takes and nothing reads. */}}
{{- define "rolecall.ignored" -}}
- bitwarden-sdk-server
- certController
- concurrent
- crds.conversion
- crds.createClusterExternalSecret
- crds.createClusterPushSecret
- crds.createClusterSecretStore
- crds.createPushSecret
- crds.createSecretStore
- crds.create.ClusterExternalSecret
- crds.create.ClusterPushSecret
- crds.create.ClusterSecretStore
- crds.create.PushSecret
- crds.create.SecretStore
- crds.unsafeServeV1Beta1
- enableHTTP2
- genericTargets
- image.flavour
- log.timeEncoding
- metrics.listen.auth
- metrics.listen.secure
- processClusterExternalSecret
- processClusterGenerator
- processClusterPushSecret
- processClusterStore
- processPushSecret
- processSecretStore
- readinessProbe.spec.address
- readinessProbe.spec.port
- systemAuthDelegator
- webhook
{{- end -}}
