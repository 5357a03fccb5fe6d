"""The daemon in the office: MQTT in; store, alerts, events and the page out."""
