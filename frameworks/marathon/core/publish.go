package core

import (
	"github.com/soukproject/souk/frameworks/marathon/core/spec"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// Heading begins every event.
type Heading struct {
	EventType string         `json:"eventType"`
	Timestamp spec.Timestamp `json:"timestamp"`
}

// The events, by their eventType.
type (
	// StatusUpdate is status_update_event.
	StatusUpdate struct {
		Heading
		AgentID     string         `json:"slaveId"`
		TaskID      string         `json:"taskId"`
		TaskStatus  string         `json:"taskStatus"`
		Message     string         `json:"message"`
		AppID       string         `json:"appId"`
		Host        string         `json:"host"`
		IPAddresses []IPAddress    `json:"ipAddresses"`
		Ports       []int          `json:"ports"`
		Version     spec.Timestamp `json:"version"`
	}
	// InstanceChanged is instance_changed_event.
	InstanceChanged struct {
		Heading
		InstanceID     string         `json:"instanceId"`
		Condition      Condition      `json:"condition"`
		RunSpecID      string         `json:"runSpecId"`
		AgentID        string         `json:"agentId"`
		Host           string         `json:"host"`
		RunSpecVersion spec.Timestamp `json:"runSpecVersion"`
	}
	// StrayTerminated is unknown_instance_terminated_event.
	StrayTerminated struct {
		Heading
		InstanceID string    `json:"instanceId"`
		RunSpecID  string    `json:"runSpecId"`
		Condition  Condition `json:"condition"`
	}
	// FrameworkMessage is framework_message_event; Message holds byte numbers.
	FrameworkMessage struct {
		Heading
		ExecutorID string `json:"executorId"`
		AgentID    string `json:"slaveId"`
		Message    []int  `json:"message"`
	}
	// APIPost is api_post_event.
	APIPost struct {
		Heading
		ClientIP      string    `json:"clientIp"`
		URI           string    `json:"uri"`
		AppDefinition *spec.App `json:"appDefinition"`
	}
	// GroupChanged is group_change_success.
	GroupChanged struct {
		Heading
		GroupID string         `json:"groupId"`
		Version spec.Timestamp `json:"version"`
	}
	// DeploymentStepped is deployment_info and deployment_step_success.
	DeploymentStepped struct {
		Heading
		Plan        Plan `json:"plan"`
		CurrentStep Step `json:"currentStep"`
	}
	// DeploymentEnded is deployment_success and deployment_failed.
	DeploymentEnded struct {
		Heading
		ID     string `json:"id"`
		Plan   Plan   `json:"plan"`
		Reason string `json:"reason,omitempty"`
	}
	// AppTerminated is app_terminated_event.
	AppTerminated struct {
		Heading
		AppID string `json:"appId"`
	}
	// SchedulerSubscribed is scheduler_registered_event, or scheduler_reregistered_event without an id.
	SchedulerSubscribed struct {
		Heading
		FrameworkID string `json:"frameworkId,omitempty"`
		Master      string `json:"master"`
	}
	// SchedulerDisconnected is scheduler_disconnected_event.
	SchedulerDisconnected struct{ Heading }
	// HealthCheckAdded is add_health_check_event.
	HealthCheckAdded struct {
		Heading
		AppID       string           `json:"appId"`
		Version     spec.Timestamp   `json:"version"`
		HealthCheck spec.HealthCheck `json:"healthCheck"`
	}
	// HealthCheckFailed is failed_health_check_event; its taskId holds the instance's id.
	HealthCheckFailed struct {
		Heading
		AppID       string           `json:"appId"`
		TaskID      string           `json:"taskId"`
		HealthCheck spec.HealthCheck `json:"healthCheck"`
	}
	// HealthStatusChanged is health_status_changed_event.
	HealthStatusChanged struct {
		Heading
		AppID      string         `json:"appId"`
		InstanceID string         `json:"instanceId"`
		Version    spec.Timestamp `json:"version"`
		Alive      bool           `json:"alive"`
	}
	// UnhealthyKilled is unhealthy_instance_kill_event.
	UnhealthyKilled struct {
		Heading
		AppID      string         `json:"appId"`
		TaskID     string         `json:"taskId"`
		InstanceID string         `json:"instanceId"`
		Version    spec.Timestamp `json:"version"`
		Reason     string         `json:"reason"`
		Host       string         `json:"host"`
		AgentID    string         `json:"slaveId"`
	}
)

// An IPAddress is one of a task's.
type IPAddress struct {
	Address  string `json:"ipAddress"`
	Protocol string `json:"protocol"`
}

func ipAddresses(list []string) []IPAddress {
	out := make([]IPAddress, len(list))
	for i, a := range list {
		out[i] = IPAddress{a, "IPv4"}
	}
	return out
}

func (c *Core) heading(eventType string) Heading {
	return Heading{eventType, spec.TimestampOf(c.now)}
}

func (c *Core) publish(h Heading, data any) { c.do(Publish{Type: h.EventType, Data: data}) }

func (c *Core) publishStatus(in *Instance, s *mesospb.TaskStatus) {
	h := c.heading("status_update_event")
	c.publish(h, StatusUpdate{
		Heading: h, AgentID: in.AgentID, TaskID: in.TaskID, TaskStatus: s.GetState().String(),
		Message: cut(s.GetMessage()), AppID: in.AppID, Host: in.Host,
		IPAddresses: ipAddresses(in.Addresses), Ports: in.Ports, Version: in.Version,
	})
}

func cut(message string) string { return message[:min(len(message), maxMessage)] }

func (c *Core) publishInstance(in *Instance) {
	h := c.heading("instance_changed_event")
	c.publish(h, InstanceChanged{
		Heading: h, InstanceID: in.ID, Condition: in.Condition, RunSpecID: in.AppID,
		AgentID: in.AgentID, Host: in.Host, RunSpecVersion: in.Version,
	})
}

func (c *Core) publishStray(s *mesospb.TaskStatus, condition Condition) {
	h := c.heading("unknown_instance_terminated_event")
	id := s.GetTaskId().GetValue()
	c.publish(h, StrayTerminated{h, instanceOfTask(id), AppOfTask(id), condition})
}

func (c *Core) messaged(ev Messaged) {
	h := c.heading("framework_message_event")
	m := FrameworkMessage{Heading: h, ExecutorID: ev.ExecutorID, AgentID: ev.AgentID, Message: make([]int, len(ev.Data))}
	for i, b := range ev.Data {
		m.Message[i] = int(b)
	}
	c.publish(h, m)
}

func (c *Core) publishSubscribed(ev Subscribed, first bool) {
	if first {
		h := c.heading("scheduler_registered_event")
		c.publish(h, SchedulerSubscribed{h, ev.FrameworkID, ev.Master})
		return
	}
	h := c.heading("scheduler_reregistered_event")
	c.publish(h, SchedulerSubscribed{Heading: h, Master: ev.Master})
}

func (c *Core) publishDisconnected() {
	h := c.heading("scheduler_disconnected_event")
	c.publish(h, SchedulerDisconnected{h})
}

func (c *Core) publishPost(o Origin, def *spec.App) {
	h := c.heading("api_post_event")
	c.publish(h, APIPost{h, o.ClientIP, o.URI, def})
}

func (c *Core) publishTree(v spec.Timestamp) {
	h := c.heading("group_change_success")
	c.publish(h, GroupChanged{h, "/", v})
}

func (c *Core) publishStep(eventType string, d *deployment) {
	h := c.heading(eventType)
	c.publish(h, DeploymentStepped{h, d.Plan, d.Steps[d.current]})
}

func (c *Core) publishEnd(eventType string, d *deployment, reason string) {
	h := c.heading(eventType)
	c.publish(h, DeploymentEnded{h, d.ID, d.Plan, reason})
}

func (c *Core) publishTerminated(appID string) {
	h := c.heading("app_terminated_event")
	c.publish(h, AppTerminated{h, appID})
}
