package deploy

import (
	"encoding/json"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// kubernetesTypes is the module that says what fields the API's objects have. It is
// fetched as a dependency of this program would be, checksum and all, and is none.
const kubernetesTypes = "k8s.io/client-go@v0.32.4"

// A kind of the schema: one of a scalar, a list and a map.
type kind struct {
	Name   string
	Scalar string
	Named  string `yaml:"namedType"`
	List   *struct {
		ElementType kind `yaml:"elementType"`
	}
	Map *struct {
		Fields []struct {
			Name string
			Type kind
		}
		ElementType *kind `yaml:"elementType"`
	}
}

// schema is Kubernetes' types by name.
type schema map[string]kind

func kubernetesSchema(t *testing.T) schema {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", kubernetesTypes)
	cmd.Dir = t.TempDir() // not in this module, whose go.sum it would be written to
	said, err := cmd.Output()
	var module struct{ Dir, Error string }
	if jsonErr := json.Unmarshal(said, &module); err != nil || jsonErr != nil || module.Error != "" {
		t.Fatalf("fetch Kubernetes' types with 'go mod download %s': %v %s", kubernetesTypes, err, module.Error)
	}
	source := read(t, filepath.Join(module.Dir, "applyconfigurations", "internal", "internal.go"))
	_, source, _ = strings.Cut(source, "typed.YAMLObject(`")
	source, _, _ = strings.Cut(source, "`)")
	var all struct{ Types []kind }
	if err := yaml.Unmarshal([]byte(source), &all); err != nil || len(all.Types) < 500 {
		t.Fatalf("%s has %d types: %v", kubernetesTypes, len(all.Types), err)
	}
	types := schema{}
	for _, k := range all.Types {
		types[k.Name] = k
	}
	return types
}

// check compares a value with its type and returns what is wrong.
func (s schema) check(at string, k kind, value any) (wrong []string) {
	for k.Named != "" {
		k = s[k.Named]
	}
	switch v := value.(type) {
	case nil:
	case map[string]any:
		if k.Map == nil {
			return []string{at + " is a map"}
		}
		for name, value := range v {
			i := slices.IndexFunc(k.Map.Fields, func(f struct {
				Name string
				Type kind
			}) bool {
				return f.Name == name
			})
			switch {
			case i >= 0:
				wrong = append(wrong, s.check(at+"."+name, k.Map.Fields[i].Type, value)...)
			case k.Map.ElementType != nil:
				wrong = append(wrong, s.check(at+"."+name, *k.Map.ElementType, value)...)
			default:
				wrong = append(wrong, fmt.Sprintf("%s has no field %s", at, name))
			}
		}
	case []any:
		if k.List == nil {
			return []string{at + " is a list"}
		}
		for i, value := range v {
			wrong = append(wrong, s.check(fmt.Sprintf("%s[%d]", at, i), k.List.ElementType, value)...)
		}
	default:
		is := map[string]string{"string": "string", "bool": "boolean", "int": "numeric", "float64": "numeric"}[fmt.Sprintf("%T", v)]
		if k.Scalar != is && k.Scalar != "untyped" {
			wrong = append(wrong, fmt.Sprintf("%s: %v is %s, not %s", at, v, is, k.Scalar))
		}
	}
	return wrong
}

// typeOf is the type of an object by its apiVersion and kind.
func (s schema) typeOf(object map[string]any) (kind, bool) {
	group, version, found := strings.Cut(fmt.Sprint(object["apiVersion"]), "/")
	if !found {
		group, version = "core", group
	}
	group, _, _ = strings.Cut(group, ".")
	k, ok := s["io.k8s.api."+group+"."+version+"."+fmt.Sprint(object["kind"])]
	return k, ok
}

// baseObjects are the objects of the base by kind and name.
func baseObjects(t *testing.T) map[string]map[string]any {
	t.Helper()
	objects := map[string]map[string]any{}
	base := documents(t, "kubernetes/base/kustomization.yaml")[0]
	for _, file := range base["resources"].([]any) {
		for _, object := range documents(t, filepath.Join("kubernetes/base", file.(string))) {
			id := fmt.Sprintf("%v/%v", object["kind"], at(object, "metadata", "name"))
			if objects[id] != nil {
				t.Errorf("%s is there twice", id)
			}
			objects[id] = object
		}
	}
	return objects
}

// at follows a path of map keys and list indexes; nil where it ends early.
func at(value any, path ...any) any {
	for _, step := range path {
		switch v := value.(type) {
		case map[string]any:
			value = v[fmt.Sprint(step)]
		case []any:
			if i, ok := step.(int); !ok || i >= len(v) {
				return nil
			}
			value = v[step.(int)]
		default:
			return nil
		}
	}
	return value
}

func TestManifestsAreWhatKubernetesReads(t *testing.T) {
	types := kubernetesSchema(t)
	for id, object := range baseObjects(t) {
		k, known := types.typeOf(object)
		if !known {
			t.Errorf("%s: Kubernetes has no %v %v", id, object["apiVersion"], object["kind"])
			continue
		}
		for _, wrong := range types.check(id, k, object) {
			t.Error(wrong)
		}
		if id != "Namespace/tributary" && at(object, "metadata", "namespace") != "tributary" {
			t.Errorf("%s is in another namespace", id)
		}
		if id != "Namespace/tributary" && at(object, "metadata", "labels", "app.kubernetes.io/name") != "tributary" {
			t.Errorf("%s cannot be found by its label", id)
		}
	}
}

// TestTheSchemaFindsWhatIsWrong: a check that finds nothing proves nothing.
func TestTheSchemaFindsWhatIsWrong(t *testing.T) {
	types := kubernetesSchema(t)
	object := map[string]any{"apiVersion": "apps/v1", "kind": "StatefulSet", "spec": map[string]any{
		"replica": 2, "replicas": "2", "serviceName": []any{"a"},
		"template": map[string]any{"spec": map[string]any{"containers": map[string]any{"name": "a"}}},
	}}
	k, known := types.typeOf(object)
	wrong := types.check("it", k, object)
	slices.Sort(wrong)
	want := []string{
		"it.spec has no field replica", "it.spec.replicas: 2 is string, not numeric", "it.spec.serviceName is a list", "it.spec.template.spec.containers is a map",
	}
	if !known || !slices.Equal(wrong, want) {
		t.Errorf("got %q", wrong)
	}
}

// TestPodsMayDoNoMoreThanTheyMust holds what the restricted profile of Kubernetes asks
// for, and what this product needs beside it.
func TestPodsMayDoNoMoreThanTheyMust(t *testing.T) {
	objects := baseObjects(t)
	for _, id := range []string{"StatefulSet/tracker", "StatefulSet/admin"} {
		pod := at(objects[id], "spec", "template", "spec")
		container := at(pod, "containers", 0)
		for _, c := range []struct {
			what string
			got  any
			want any
		}{
			{"runAsNonRoot", at(pod, "securityContext", "runAsNonRoot"), true},
			{"runAsUser", at(pod, "securityContext", "runAsUser"), 65532},
			{"seccomp", at(pod, "securityContext", "seccompProfile", "type"), "RuntimeDefault"},
			{"token", at(pod, "automountServiceAccountToken"), false},
			{"escalation", at(container, "securityContext", "allowPrivilegeEscalation"), false},
			{"read-only root", at(container, "securityContext", "readOnlyRootFilesystem"), true},
			{"capabilities", fmt.Sprint(at(container, "securityContext", "capabilities", "drop")), "[ALL]"},
			{"readiness", at(container, "readinessProbe", "httpGet", "path"), "/readyz"},
			// A store that is away must not restart anybody.
			{"liveness", at(container, "livenessProbe", "httpGet", "path"), "/healthz"},
			{"processor limit", at(container, "resources", "limits", "cpu"), nil},
			{"memory limit", at(container, "resources", "limits", "memory"), at(container, "resources", "requests", "memory")},
			{"drain", at(container, "lifecycle", "preStop", "exec", "command", 1), "drain"},
			// What was acknowledged is on it.
			{"disk kept", at(objects[id], "spec", "persistentVolumeClaimRetentionPolicy", "whenScaled"), "Retain"},
			{"disk", at(objects[id], "spec", "volumeClaimTemplates", 0, "metadata", "name"), "data"},
		} {
			if c.got != c.want {
				t.Errorf("%s: %s is %v, want %v", id, c.what, c.got, c.want)
			}
		}
	}
	if at(objects["Namespace/tributary"], "metadata", "labels", "pod-security.kubernetes.io/enforce") != "restricted" {
		t.Error("the namespace takes any pod")
	}
}

// TestWhatSelectsPodsFindsThem: a Service, budget or policy whose labels are nobody's
// is applied without a complaint.
func TestWhatSelectsPodsFindsThem(t *testing.T) {
	objects := baseObjects(t)
	var pods []map[string]any
	for _, id := range []string{"StatefulSet/tracker", "StatefulSet/admin"} {
		labels, _ := at(objects[id], "spec", "template", "metadata", "labels").(map[string]any)
		pods = append(pods, labels)
		if selector, _ := at(objects[id], "spec", "selector", "matchLabels").(map[string]any); !maps.Equal(selector, labels) {
			t.Errorf("%s does not select its own pods", id)
		}
		if name := at(objects[id], "spec", "serviceName"); objects[fmt.Sprintf("Service/%v", name)] == nil {
			t.Errorf("%s: there is no service %v", id, name)
		}
	}
	finds := func(labels any) bool {
		wanted, _ := labels.(map[string]any)
		return slices.ContainsFunc(pods, func(pod map[string]any) bool {
			for label, value := range wanted {
				if pod[label] != value {
					return false
				}
			}
			return true
		})
	}
	ports := map[any]bool{}
	for _, id := range []string{"StatefulSet/tracker", "StatefulSet/admin"} {
		named, _ := at(objects[id], "spec", "template", "spec", "containers", 0, "ports").([]any)
		for _, port := range named {
			ports[at(port, "name")] = true
		}
	}
	for id, object := range objects {
		var labels any
		switch object["kind"] {
		case "Service":
			if labels = at(object, "spec", "selector"); labels != nil && !ports[at(object, "spec", "ports", 0, "targetPort")] {
				t.Errorf("%s: no pod has a port %v", id, at(object, "spec", "ports", 0, "targetPort"))
			}
		case "PodDisruptionBudget":
			labels = at(object, "spec", "selector", "matchLabels")
		case "NetworkPolicy":
			labels = at(object, "spec", "podSelector", "matchLabels")
		case "HorizontalPodAutoscaler":
			if target := at(object, "spec", "scaleTargetRef"); objects[fmt.Sprintf("%v/%v", at(target, "kind"), at(target, "name"))] == nil {
				t.Errorf("%s scales nobody", id)
			}
		case "Ingress":
			paths, _ := at(object, "spec", "rules", 0, "http", "paths").([]any)
			for _, path := range paths {
				if name := at(path, "backend", "service", "name"); objects[fmt.Sprintf("Service/%v", name)] == nil {
					t.Errorf("%s: there is no service %v", id, name)
				}
			}
		}
		if !finds(labels) {
			t.Errorf("%s finds no pod", id)
		}
	}
}

// TestOverlaysChangeWhatIsThere: what an overlay lists exists, its patches meet
// objects of the base, and what JSON patches replace is there.
func TestOverlaysChangeWhatIsThere(t *testing.T) {
	objects := baseObjects(t)
	overlays, err := filepath.Glob("kubernetes/overlays/*/kustomization.yaml")
	if err != nil || len(overlays) == 0 {
		t.Fatal("no overlays")
	}
	for _, file := range overlays {
		var overlay struct {
			Resources, Components []string
			Patches               []struct {
				Target struct{ Kind, Name string }
				Patch  string
			}
			ConfigMapGenerator []struct{ Files []string } `yaml:"configMapGenerator"`
		}
		if err := yaml.Unmarshal([]byte(read(t, file)), &overlay); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, resource := range overlay.Resources {
			read(t, filepath.Join(filepath.Dir(file), resource, "kustomization.yaml"))
		}
		for _, generator := range overlay.ConfigMapGenerator {
			for _, source := range generator.Files {
				read(t, filepath.Join(filepath.Dir(file), source))
			}
		}
		for _, patch := range overlay.Patches {
			met := false
			for id, object := range objects {
				kind, name, _ := strings.Cut(id, "/")
				if kind != patch.Target.Kind || patch.Target.Name != "" && patch.Target.Name != name {
					continue
				}
				met = true
				var steps []struct{ Op, Path string }
				if yaml.Unmarshal([]byte(patch.Patch), &steps) != nil {
					continue // a merge, which makes what is not there
				}
				for _, step := range steps {
					if step.Op == "replace" && at(object, pointer(step.Path)...) == nil {
						t.Errorf("%s: %s has no %s to replace", file, id, step.Path)
					}
				}
			}
			if !met {
				t.Errorf("%s: a patch of %s %s meets nothing", file, patch.Target.Kind, patch.Target.Name)
			}
		}
	}
}

// pointer is the path of a JSON pointer (RFC 6901).
func pointer(path string) (steps []any) {
	for step := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		var index int
		if _, err := fmt.Sscanf(step, "%d", &index); err == nil {
			steps = append(steps, index)
			continue
		}
		steps = append(steps, strings.NewReplacer("~1", "/", "~0", "~").Replace(step))
	}
	return steps
}
