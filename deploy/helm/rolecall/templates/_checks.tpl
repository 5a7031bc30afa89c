{{/* What no schema can say of the values: all of it at once. */}}
{{- define "rolecall.check" -}}
{{- $v := .Values -}}
{{- $found := list -}}
{{- $repository := $v.image.repository | default $v.global.repository -}}
{{- if $v.createOperator -}}
{{- if not $repository -}}
{{- $found = append $found "image.repository is required: no registry is assumed. Put the image of rolecall-controller into one that the cluster reaches, and name it: --set image.repository=registry.example.net/rolecall-controller" -}}
{{- else if eq (base $repository) "external-secrets" -}}
{{- $found = append $found (printf "image.repository %s is the image of External Secrets Operator: name that of rolecall-controller, and its image.tag" $repository) -}}
{{- end -}}
{{- if not $v.leaderElect -}}
{{- if gt (int $v.replicaCount) 1 -}}
{{- $found = append $found (printf "replicaCount %d needs leaderElect=true: without it each replica would mint for every object" (int $v.replicaCount)) -}}
{{- end -}}
{{- if and $v.strategy (ne (dig "type" "" $v.strategy) "Recreate") -}}
{{- $found = append $found "strategy: all but {type: Recreate} needs leaderElect=true: during a rollout two controllers would each mint for every object" -}}
{{- end -}}
{{- end -}}
{{- if eq (int $v.metrics.listen.port) (int $v.livenessProbe.spec.port) -}}
{{- $found = append $found (printf "metrics.listen.port and livenessProbe.spec.port are both %d: two servers cannot listen at one port" (int $v.metrics.listen.port)) -}}
{{- end -}}
{{- end -}}
{{- if and $v.scopedNamespace $v.scopedNamespaces (ne $v.scopedNamespace (join "," $v.scopedNamespaces)) -}}
{{- $found = append $found "scopedNamespace and scopedNamespaces say different things: set one of them" -}}
{{- end -}}
{{- if and $v.scopedRBAC (not (include "rolecall.watched" .)) -}}
{{- $found = append $found "scopedRBAC needs a namespace: set scopedNamespaces" -}}
{{- end -}}
{{- $owned := dict
  "ambient-identity" "ambientIdentity"
  "enable-leader-election" "leaderElect"
  "leader-election-id" "leaderElectionID"
  "leader-election-namespace" "namespaceOverride"
  "live-addr" "livenessProbe.spec.port"
  "metrics-addr" "metrics.listen.port"
  "namespace" "scopedNamespaces"
-}}
{{- range $flag, $value := $owned -}}
{{- if hasKey $v.extraArgs $flag -}}
{{- $found = append $found (printf "extraArgs.%s: more than the flag depends on it, so set %s instead" $flag $value) -}}
{{- end -}}
{{- end -}}
{{- $seen := list -}}
{{- range $v.tokenNamespaces -}}
{{- $namespace := . -}}
{{- if kindIs "map" . }}{{ $namespace = .namespace }}{{ end -}}
{{- if has $namespace $seen -}}
{{- $found = append $found (printf "tokenNamespaces names %s twice: put its serviceAccounts into one entry" $namespace) -}}
{{- end -}}
{{- $seen = append $seen $namespace -}}
{{- end -}}
{{- $mustServe := and $v.createOperator $v.serviceMonitor.enabled (eq $v.serviceMonitor.renderMode "failIfMissing") -}}
{{- if and $mustServe (not (include "rolecall.hasServiceMonitor" .)) -}}
{{- $found = append $found "serviceMonitor.renderMode is failIfMissing, and the cluster serves no monitoring.coreos.com/v1" -}}
{{- end -}}
{{- if $found -}}
{{- join "\n" $found | printf "\n%s\n" | fail -}}
{{- end -}}
{{- end -}}

{{/* Why CRDs are not taken over, and what to do: (dict "foreign" lines "unkept" lines). */}}
{{- define "rolecall.refuse" -}}
{{- if .foreign }}
These CRDs are in the cluster already, and not of this release:
{{- join "" .foreign }}
They are not taken over unasked: two owners overwrite each other's, and a Helm release that deletes a CRD
deletes every ExternalSecret with it, and every Secret that one owns. Either leave them as they are:

  --set installCRDs=false

or take them over, in this order:

  1. In the release that owns them now, set the chart's annotations of CRDs (External Secrets Operator:
     crds.annotations) to helm.sh/resource-policy: keep, upgrade it, and see that the live CRDs carry it.
  2. Only then set its installCRDs=false, and upgrade it. (CRDs of no release, or of one that is gone, need neither, only:
     kubectl annotate crd NAME helm.sh/resource-policy=keep)
  3. Install or upgrade this one with --set crds.takeOwnership=true --take-ownership
{{- end }}
{{- if .unkept }}
crds.takeOwnership is set, but these CRDs do not carry the annotation helm.sh/resource-policy: keep:
{{- join "" .unkept }}
An upgrade or an uninstall of the release that owns them would delete them, with every ExternalSecret and every
Secret that one owns. Set the annotation first: by the chart that owns them (External Secrets Operator:
crds.annotations) and an upgrade of it, since an uninstall looks at what the release stored and not at the
cluster; for CRDs of no release by kubectl annotate crd NAME helm.sh/resource-policy=keep
{{- end }}
{{ end -}}
