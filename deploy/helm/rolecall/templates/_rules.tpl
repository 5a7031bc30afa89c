{{/*
What the controller may do, for the ClusterRole and for the Role of each scoped namespace alike:
(dict "Values" .Values "isCluster" true). What is of the cluster is left out of a Role.
*/}}
{{- define "rolecall.rules" -}}
- apiGroups: [external-secrets.io]
  resources: [externalsecrets]
  verbs: [list, watch, patch]
- apiGroups: [external-secrets.io]
  resources: [externalsecrets/status]
  verbs: [patch]
{{- if .Values.openshiftFinalizers }}
# The owner reference of a Secret blocks the deletion of its ExternalSecret.
- apiGroups: [external-secrets.io]
  resources: [externalsecrets/finalizers]
  verbs: [update]
{{- end }}
# Only the class of a store that an ExternalSecret names is read.
- apiGroups: [external-secrets.io]
  resources: [secretstores{{ if .isCluster }}, clustersecretstores{{ end }}]
  verbs: [get]
- apiGroups: [generators.external-secrets.io]
  resources:
  - stsassumeroletokens
  - stssessiontokens
  - ecrauthorizationtokens
  {{- if .isCluster }}
  - clustergenerators
  {{- end }}
  verbs: [list, watch]
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get]
- apiGroups: [""]
  resources: [serviceaccounts]
  verbs: [list, watch]
{{- if .Values.rbac.serviceAccountTokenCreate }}
# A token of any service account in reach: tokenNamespaces is narrower.
- apiGroups: [""]
  resources: [serviceaccounts/token]
  verbs: [create]
{{- end }}
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end -}}

{{/* What only the leader's lease needs; a name cannot restrict a create. */}}
{{- define "rolecall.leaseRules" -}}
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [{{ include "rolecall.leaseID" . | quote }}]
  verbs: [get, update]
{{- end -}}

{{/* tokenNamespaces as a map: namespace → names of service accounts, or none for all of them. */}}
{{- define "rolecall.tokens" -}}
{{- $tokens := dict -}}
{{- range .Values.tokenNamespaces -}}
{{- if kindIs "string" . -}}
{{- $_ := set $tokens . list -}}
{{- else -}}
{{- $_ := set $tokens .namespace .serviceAccounts -}}
{{- end -}}
{{- end -}}
{{- toYaml $tokens -}}
{{- end -}}
