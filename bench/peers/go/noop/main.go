// The floor of accepting a notification: a server that reads the request, parses its JSON, answers 202 and stores
// nothing. Its argument is the port.
package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"sync/atomic"
)

type notification struct {
	Recipient string         `json:"recipient"`
	Template  string         `json:"template"`
	Data      map[string]any `json:"data"`
}

var number atomic.Uint64

func accept(answer http.ResponseWriter, request *http.Request) {
	var body notification
	if err := json.NewDecoder(request.Body).Decode(&body); err != nil {
		http.Error(answer, err.Error(), http.StatusBadRequest)
		return
	}
	answer.Header().Set("Content-Type", "application/json")
	answer.WriteHeader(http.StatusAccepted)
	fmt.Fprintf(answer, `{"deliveries":[{"id":"%d"}]}`, number.Add(1))
}

func main() {
	http.HandleFunc("/v1/notifications", accept)
	if err := http.ListenAndServe("127.0.0.1:"+os.Args[1], nil); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
