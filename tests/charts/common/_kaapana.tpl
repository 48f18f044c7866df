{{/*
What every chart of the test platform shares; `build` puts a copy into each of them.
The switches (values under `test`) are described in tests/charts/README.md.
*/}}

{{/*
The values a release of Kaapana is given, one a line: key under `global`, type, releases.

  any        present, whatever it is: it lands unquoted where it is used
  text       a string, may be empty
  word       a string that is not empty
  name       a DNS label
  path       an absolute path
  port       a port number as a string
  number     an integer as a string
  list       a list of strings
  bool       present; what is no bool is truthy, as in every template
  flag       the string "true" or "false" before 0.4, a bool since

  all        in every release
  >=X, <X    in these releases; the others do not know the key and are not given it
  >=X?       in these releases; what the others do with it is not known, they accept it
*/}}
{{- define "kaapana.keys" -}}
hostname                            word    all
registry_url                        word    all
credentials_registry_username       text    all
credentials_registry_password       text    all
dev_mode                            flag    all
gpu_support                         flag    all
prefetch_extensions                 bool    all
offline_mode                        bool    all
enable_nfs                          bool    <0.6
release_name                        name    all
instance_uid                        text    all
instance_name                       word    >=0.4
services_namespace                  name    all
admin_namespace                     name    all
extensions_namespace                name    all
jobs_namespace                      name    <0.4
helm_namespace                      name    all
base_namespace                      name    all
fast_data_dir                       path    all
slow_data_dir                       path    all
home_dir                            path    all
http_port                           port    all
https_port                          port    all
dicom_port                          port    all
credentials_minio_username          any     all
credentials_minio_password          any     all
credentials_grafana_username        any     all
credentials_grafana_password        any     all
credentials_keycloak_admin_username any     all
credentials_keycloak_admin_password any     all
kaapana_init_password               any     all
oidc_client_secret                  word    all
pacs_memory_limit                   number  >=0.4
pacs_memory_request                 number  >=0.4
airflow_memory_limit                number  >=0.4
airflow_memory_request              number  >=0.4
opensearch_memory_limit             number  >=0.4
opensearch_memory_request           number  >=0.4
http_proxy                          text    <0.5
https_proxy                         text    <0.5
internalCidrs                       list    >=0.5
smtp_host                           text    >=0.4
smtp_port                           number  >=0.4
smtp_username                       text    >=0.4
smtp_password                       text    >=0.4
email_address_sender                text    >=0.4
mount_points_to_monitor             text    all
storage_class_fast                  word    >=0.6?
storage_class_slow                  word    >=0.6?
storage_class_workflow              word    >=0.6?
volume_slow_data                    word    >=0.6
replica_count                       number  >=0.6
main_node_name                      word    all
storage_node                        word    all
deployment_timestamp                word    all
pull_policy_images                  word    all
pull_policy_jobs                    word    all
pull_policy_pods                    word    all
{{- end -}}

{{/* Fails the render unless the values are what this release of Kaapana is given. */}}
{{- define "kaapana.validate" -}}
{{- $global := .Values.global -}}
{{- $version := .Chart.Version -}}
{{- $foreign := toString (dig "allowForeignKeys" false (.Values.test | default dict)) -}}
{{- if eq (include "kaapana.hit" (dict "root" . "switch" "renderFail" "name" .Chart.Name)) "true" -}}
{{- fail (printf "test.renderFail: %s does not render" .Chart.Name) -}}
{{- end -}}
{{- $_ := required "global.hostname is required" $global.hostname -}}
{{- range $line := splitList "\n" (include "kaapana.keys" .) -}}
{{- $row := regexSplit " +" $line -1 -}}
{{- $key := index $row 0 -}}{{- $type := index $row 1 -}}{{- $releases := index $row 2 -}}
{{- if or (eq $releases "all") (semverCompare (printf "%s.0-0" (trimSuffix "?" $releases)) $version) -}}
{{- include "kaapana.check" (dict "key" $key "type" $type "global" $global "version" $version) -}}
{{- else if and (hasKey $global $key) (not (hasSuffix "?" $releases)) (ne $foreign "true") -}}
{{- fail (printf "global.%s does not exist in %s, only in %s" $key $version $releases) -}}
{{- end -}}
{{- end -}}
{{- range $key, $value := $global -}}
{{- if kindIs "map" $value -}}
{{- fail (printf "global.%s is a map: globals are handed on one by one, a map among them is lost" $key) -}}
{{- else if kindIs "slice" $value -}}
{{- range $value -}}
{{- if kindIs "map" . -}}{{- fail (printf "global.%s is a list of maps: globals are handed on one by one, maps among them are lost" $key) -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and $global.instance_uid (not $global.include_reverse_proxy) -}}
{{- fail "global.include_reverse_proxy must be true when global.instance_uid is set" -}}
{{- end -}}
{{- range list "images" "jobs" "pods" -}}
{{- if not (has (index $global (printf "pull_policy_%s" .)) (list "Always" "IfNotPresent" "Never")) -}}
{{- fail (printf "global.pull_policy_%s must be Always, IfNotPresent or Never" .) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "kaapana.check" -}}
{{- $name := printf "global.%s" .key -}}
{{- if not (hasKey .global .key) -}}{{- fail (printf "%s is required" $name) -}}{{- end -}}
{{- $value := index .global .key -}}
{{- $what := printf "%s must be" $name -}}
{{- if kindIs "invalid" $value -}}{{- fail (printf "%s is required" $name) -}}{{- end -}}
{{- if has .type (list "text" "word" "name" "path" "port" "number") -}}
{{- if not (kindIs "string" $value) -}}{{- fail (printf "%s a string, not the %s %v" $what (kindOf $value) $value) -}}{{- end -}}
{{- if and (ne .type "text") (eq $value "") -}}{{- fail (printf "%s is empty" $name) -}}{{- end -}}
{{- if and (eq .type "name") (not (regexMatch "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$" $value)) -}}{{- fail (printf "%s a DNS label" $what) -}}{{- end -}}
{{- if and (eq .type "path") (not (hasPrefix "/" $value)) -}}{{- fail (printf "%s an absolute path" $what) -}}{{- end -}}
{{- if and (eq .type "number") (not (regexMatch "^[0-9]+$" $value)) -}}{{- fail (printf "%s an integer" $what) -}}{{- end -}}
{{- if and (eq .type "port") (not (and (regexMatch "^[0-9]{1,5}$" $value) (gt (atoi $value) 0) (lt (atoi $value) 65536))) -}}{{- fail (printf "%s a port number" $what) -}}{{- end -}}
{{- else if and (eq .type "flag") (semverCompare "<0.4.0-0" .version) -}}
{{- if not (and (kindIs "string" $value) (has $value (list "true" "false"))) -}}{{- fail (printf "%s the string \"true\" or \"false\" in %s" $what .version) -}}{{- end -}}
{{- else if eq .type "list" -}}
{{- if not (kindIs "slice" $value) -}}{{- fail (printf "%s a list of strings, not the %s %v" $what (kindOf $value) $value) -}}{{- end -}}
{{- if not $value -}}{{- fail (printf "%s is empty" $name) -}}{{- end -}}
{{- range $value -}}{{- if not (kindIs "string" .) -}}{{- fail (printf "%s a list of strings, %v is none" $what .) -}}{{- end -}}{{- end -}}
{{- end -}}
{{- end -}}

{{/* Whether a bool is on. Until 0.3 they were strings; since then a string is truthy. */}}
{{- define "kaapana.on" -}}
{{- $value := index .root.Values.global .key -}}
{{- if semverCompare "<0.4.0-0" .root.Chart.Version -}}
{{- if eq (toString $value) "true" -}}true{{- end -}}
{{- else if $value -}}true{{- end -}}
{{- end -}}

{{/*
Whether a switch under `test` is meant for what is called `name`: the switch is true and
`name` is its usual victim, or the switch names it (names separated by commas, or a list).
*/}}
{{- define "kaapana.hit" -}}
{{- $usual := dict
  "crashLoop" "grafana" "missingImage" "prometheus" "foreverPending" "minio" "waitForever" "airflow-webserver"
  "finalizer" "landing-page" "slowStop" "ctp" "failJob" "init-airflow" "hangJob" "init-airflow"
  "unknownKind" "kaapana-admin-chart" "renderFail" "kaapana-admin-chart" -}}
{{- $value := index (.root.Values.test | default dict) .switch -}}
{{- if kindIs "slice" $value -}}{{- $value = join "," $value -}}{{- end -}}
{{- $value = toString ($value | default "") -}}
{{- if or (and (eq $value "true") (eq .name (index $usual .switch))) (has .name (splitList "," $value)) -}}true{{- end -}}
{{- end -}}

{{- define "kaapana.image" -}}
{{- $global := .root.Values.global -}}
{{ $global.registry_url }}/{{ .image | default .name }}:{{ if include "kaapana.hit" (dict "root" .root "switch" "missingImage" "name" .name) }}absent{{ else }}{{ $global.kaapana_build_version }}{{ end }}
{{- end -}}

{{/* A kind that no API server has. */}}
{{- define "kaapana.unknownkind" -}}
{{- if include "kaapana.hit" (dict "root" . "switch" "unknownKind" "name" .Chart.Name) }}
---
apiVersion: test.kaapana.example/v1
kind: Unserved
metadata:
  name: unserved
  namespace: {{ .Release.Namespace }}
{{- end -}}
{{- end -}}

{{- define "kaapana.namespace" -}}
---
apiVersion: v1
kind: Namespace
metadata:
  name: {{ .name }}
  annotations:
    helm.sh/resource-policy: keep
---
apiVersion: v1
kind: Secret
metadata:
  name: registry-secret
  namespace: {{ .name }}
type: kubernetes.io/dockerconfigjson
data:
  {{- $global := .root.Values.global }}
  {{- $login := dict "username" (toString $global.credentials_registry_username) "password" (toString $global.credentials_registry_password) }}
  {{- $_ := set $login "auth" (printf "%s:%s" $login.username $login.password | b64enc) }}
  .dockerconfigjson: {{ dict "auths" (dict (first (splitList "/" $global.registry_url)) $login) | toJson | b64enc }}
{{ end -}}

{{- define "kaapana.claim" -}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: {{ .name }}
  namespace: {{ .namespace }}
  annotations:
    helm.sh/resource-policy: keep
spec:
  accessModes: [ReadWriteOnce]
  storageClassName: {{ .class }}
  resources:
    requests:
      storage: {{ .size }}
{{ end -}}

{{/* The account of the in-cluster installer: root, release, namespace. */}}
{{- define "kaapana.account" -}}
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ .name }}
  namespace: {{ .namespace }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: {{ .namespace }}-{{ .name }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: cluster-admin
subjects:
  - kind: ServiceAccount
    name: {{ .name }}
    namespace: {{ .namespace }}
{{ end -}}

{{/*
A workload: root, name, namespace, and whichever of
  kind      Deployment or DaemonSet
  port      it answers HTTP there, behind a Service `<name>-service`
  nodePort  … which is reachable from outside
  probe     true: it answers only after test.slowStart seconds and has a readiness probe
  waitFor   an init container waits, for ever, for the Service of that workload
  claim     the claim it writes to and reads from
  storage   true: it runs on the storage node
  env       lines of its environment
  memory    the key of its memory values
  replicas
*/}}
{{- define "kaapana.workload" -}}
{{- $kind := .kind | default "Deployment" -}}
---
apiVersion: apps/v1
kind: {{ $kind }}
metadata:
  name: {{ .name }}
  namespace: {{ .namespace }}
  labels:
    app.kubernetes.io/name: {{ .name }}
spec:
  {{- if eq $kind "Deployment" }}
  replicas: {{ .replicas | default 1 }}
  {{- end }}
  selector:
    matchLabels:
      app.kubernetes.io/name: {{ .name }}
  template:
    {{- include "kaapana.pod" . | nindent 4 }}
{{ if .port }}
{{- include "kaapana.service" (dict "name" .name "namespace" .namespace "ports" (list (dict "name" "http" "port" .port "nodePort" .nodePort))) }}
{{- end -}}
{{- end -}}

{{- define "kaapana.service" -}}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ .name }}-service
  namespace: {{ .namespace }}
spec:
  {{- if (first .ports).nodePort }}
  type: NodePort
  {{- end }}
  selector:
    app.kubernetes.io/name: {{ .name }}
  ports:
    {{- range .ports }}
    - name: {{ .name }}
      # Helm 4 applies on the server, and 1.20 does not know the default then.
      protocol: TCP
      port: {{ .port }}
      targetPort: {{ .targetPort | default .port }}
      {{- if .nodePort }}
      nodePort: {{ .nodePort }}
      {{- end }}
    {{- end }}
{{ end -}}

{{- define "kaapana.pod" -}}
{{- $global := .root.Values.global -}}
{{- $test := .root.Values.test | default dict -}}
{{- $selector := ne (toString (dig "nodeSelector" true $test)) "false" -}}
metadata:
  labels:
    app.kubernetes.io/name: {{ .name }}
  annotations:
    kaapana.example/deployed: {{ $global.deployment_timestamp | quote }}
  {{- if include "kaapana.hit" (dict "root" .root "switch" "finalizer" "name" .name) }}
  finalizers: [test.kaapana.example/hold]
  {{- end }}
spec:
  terminationGracePeriodSeconds: 30
  automountServiceAccountToken: false
  imagePullSecrets:
    - name: registry-secret
  {{- $where := dict }}
  {{- if and .storage $selector }}{{ $_ := set $where "kaapana.io/node" $global.storage_node }}{{ end }}
  {{- if and .mainNode $selector }}{{ $_ := set $where "kubernetes.io/hostname" $global.main_node_name }}{{ end }}
  {{- if include "kaapana.hit" (dict "root" .root "switch" "foreverPending" "name" .name) }}{{ $_ := set $where "test.kaapana.example/node" "absent" }}{{ end }}
  {{- with $where }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- $waitForever := include "kaapana.hit" (dict "root" .root "switch" "waitForever" "name" .name) }}
  {{- if or .waitFor $waitForever }}
  initContainers:
    - name: wait
      image: {{ include "kaapana.image" . }}
      imagePullPolicy: {{ $global.pull_policy_images }}
      command: [wait-for, {{ if $waitForever }}absent{{ else }}{{ .waitFor }}{{ end }}]
      resources:
        requests: {cpu: 1m, memory: 4Mi}
  {{- end }}
  containers:
    - name: {{ .name }}
      image: {{ include "kaapana.image" . }}
      imagePullPolicy: {{ $global.pull_policy_images }}
      command: {{ .command | default (list "workload") | toJson }}
      env:
        - name: DEPLOYED
          value: {{ $global.deployment_timestamp | quote }}
        {{- if .port }}
        - name: PORT
          value: {{ .port | quote }}
        {{- end }}
        {{- if .probe }}
        - name: START_SECONDS
          value: {{ dig "slowStart" 2 $test | quote }}
        {{- end }}
        {{- if include "kaapana.hit" (dict "root" .root "switch" "crashLoop" "name" .name) }}
        - name: CRASH
          value: "yes"
        {{- end }}
        {{- if include "kaapana.hit" (dict "root" .root "switch" "slowStop" "name" .name) }}
        - name: STOP_SECONDS
          value: "3600"
        {{- end }}
        {{- if .claim }}
        - name: DATA
          value: /data
        {{- end }}
        {{- with .env }}
        {{- . | trim | nindent 8 }}
        {{- end }}
      {{- with .ports }}
      ports:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- if .probe }}
      readinessProbe:
        httpGet:
          port: {{ .port }}
          path: /ready
        periodSeconds: 2
        failureThreshold: 1
      {{- end }}
      resources:
        {{- if .memory }}
        requests: {cpu: 1m, memory: {{ index $global (printf "%s_memory_request" .memory) }}Mi}
        limits: {memory: {{ index $global (printf "%s_memory_limit" .memory) }}Mi}
        {{- else if .limits }}
        requests: {cpu: 1m, memory: 4Mi}
        limits:
          {{- toYaml .limits | nindent 10 }}
        {{- else }}
        requests: {cpu: 1m, memory: 4Mi}
        {{- end }}
      {{- if or .claim .certificate }}
      volumeMounts:
        {{- if .claim }}
        - {name: data, mountPath: /data}
        {{- end }}
        {{- if .certificate }}
        - {name: certificate, mountPath: /certificate, readOnly: true}
        {{- end }}
      {{- end }}
  {{- if or .claim .certificate }}
  volumes:
    {{- if .claim }}
    - name: data
      {{- if semverCompare "<0.6.0-0" .root.Chart.Version }}
      hostPath:
        path: {{ if .slow }}{{ $global.slow_data_dir }}{{ else }}{{ $global.fast_data_dir }}{{ end }}/{{ .claim }}
        type: DirectoryOrCreate
      {{- else }}
      persistentVolumeClaim:
        claimName: {{ .claim }}
      {{- end }}
    {{- end }}
    {{- if .certificate }}
    - name: certificate
      secret:
        secretName: certificate
    {{- end }}
  {{- end }}
{{- end -}}

{{/*
A Job: root, name, namespace, and whichever of image, command, env, account, ttl,
hook (the Helm hook it is), hostPath (mounted as /data). Its pod template holds something
random, so that applying it a second time is refused.
*/}}
{{- define "kaapana.job" -}}
{{- $global := .root.Values.global -}}
{{- $test := .root.Values.test | default dict -}}
---
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .name }}
  namespace: {{ .namespace }}
  {{- if .hook }}
  annotations:
    helm.sh/hook: {{ .hook }}
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
  {{- end }}
spec:
  {{- /* Kubernetes' own limit is 6; a Job that is made to fail does not take ten minutes to it. */}}
  backoffLimit: {{ dig "backoffLimit" ((include "kaapana.hit" (dict "root" .root "switch" "failJob" "name" .name)) | empty | ternary 6 1) $test }}
  {{- if .ttl }}
  ttlSecondsAfterFinished: {{ .ttl }}
  {{- end }}
  template:
    metadata:
      labels:
        app.kubernetes.io/name: {{ .name }}
      annotations:
        kaapana.example/render: {{ randAlphaNum 12 | quote }}
    spec:
      restartPolicy: Never
      terminationGracePeriodSeconds: 2
      {{- if .account }}
      serviceAccountName: {{ .account }}
      {{- else }}
      automountServiceAccountToken: false
      {{- end }}
      imagePullSecrets:
        - name: registry-secret
      {{- if include "kaapana.hit" (dict "root" .root "switch" "foreverPending" "name" .name) }}
      nodeSelector:
        test.kaapana.example/node: absent
      {{- end }}
      containers:
        - name: {{ .container | default .name }}
          {{- if and .hook $test.hookImage }}
          image: {{ $test.hookImage }}
          {{- else }}
          image: {{ include "kaapana.image" . }}
          {{- end }}
          imagePullPolicy: {{ $global.pull_policy_jobs }}
          command: {{ .command | default (list "task") | toJson }}
          env:
            - name: DEPLOYED
              value: {{ $global.deployment_timestamp | quote }}
            {{- if include "kaapana.hit" (dict "root" .root "switch" "failJob" "name" .name) }}
            - name: FAIL
              value: "yes"
            {{- end }}
            {{- if include "kaapana.hit" (dict "root" .root "switch" "hangJob" "name" .name) }}
            - name: HANG
              value: "yes"
            {{- end }}
            {{- if .hook }}
            - name: TASK_SECONDS
              value: {{ dig "hookSeconds" 0 $test | quote }}
            {{- if eq (toString (dig "hookFail" false $test)) "true" }}
            - name: FAIL
              value: "yes"
            {{- end }}
            {{- else }}
            - name: TASK_SECONDS
              value: {{ dig "jobSeconds" 1 $test | quote }}
            {{- end }}
            {{- with .env }}
            {{- . | trim | nindent 12 }}
            {{- end }}
          resources:
            requests: {cpu: 1m, memory: 4Mi}
          {{- if .hostPath }}
          volumeMounts:
            - {name: data, mountPath: /data}
          {{- end }}
      {{- if .hostPath }}
      volumes:
        - name: data
          hostPath:
            path: {{ .hostPath }}
            type: DirectoryOrCreate
      {{- end }}
{{ end -}}
