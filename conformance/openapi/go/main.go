// A client that openapi-generator made of docs/openapi.json, used against a server: what it can do that a person would
// do by hand. The generated package is example.org/mcb/client; npm run test:openapi makes it, and runs this.
package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"

	mcb "example.org/mcb/client"
)

const rid = "generated-client"

func main() {
	client := newClient(os.Args[1])
	ctx := context.Background()
	registration := register(ctx, client)
	createChain(ctx, client)
	appendDraws(ctx, client, registration)
	readJSON(ctx, client)
	readProtobuf(ctx, newClient(os.Args[1], "application/x-protobuf"))
	listRuns(ctx, client)
	meetGap(ctx, client)
	meetMissing(ctx, client)
	deleteRun(ctx, client)
	fmt.Println("the generated client registers, appends, reads and knows its errors")
}

// newClient asks for one media type, where it is given, instead of what the generated code prefers.
func newClient(url string, accept ...string) *mcb.APIClient {
	configuration := mcb.NewConfiguration()
	configuration.Servers = mcb.ServerConfigurations{{URL: url}}
	if len(accept) > 0 {
		configuration.HTTPClient = &http.Client{Transport: accepting(accept[0])}
	}
	return mcb.NewAPIClient(configuration)
}

type accepting string

func (accept accepting) RoundTrip(request *http.Request) (*http.Response, error) {
	request.Header.Set("Accept", string(accept))
	return http.DefaultTransport.RoundTrip(request)
}

func register(ctx context.Context, client *mcb.APIClient) string {
	variable := mcb.NewVariableDocument()
	variable.SetName("x")
	variable.SetDtype("float64")
	body := mcb.NewRunMetaInput()
	body.SetVariables([]mcb.VariableDocument{*variable})
	response, err := client.RunsAPI.PutRun(ctx, rid).RunMetaInput(*body).Execute()
	require(err == nil && response.StatusCode == 201, "PutRun", response, err)
	require(response.Header.Get("Location") == "/v1/runs/"+rid, "Location", response, err)
	meta, response, err := client.RunsAPI.GetRun(ctx, rid).Execute()
	require(err == nil && meta.GetRid() == rid, "GetRun", response, err)
	require(meta.GetVariables()[0].GetDtype() == "float64", "the variable's dtype", response, err)
	return response.Header.Get("Mcb-Registration")
}

func createChain(ctx context.Context, client *mcb.APIClient) {
	chain, response, err := client.ChainsAPI.PutChain(ctx, rid, 0).Execute()
	require(err == nil && chain.Length == 0, "PutChain", response, err)
	_, response, err = client.ChainsAPI.PutChain(ctx, rid, 0).IfNoneMatch("*").Execute()
	require(err != nil && codeOf(err) == "chain_exists", "PutChain, If-None-Match: *", response, err)
}

func appendDraws(ctx context.Context, client *mcb.APIClient, registration string) {
	body := batch(0, 1.5, "Infinity", -2)
	result, response, err := client.DrawsAPI.AppendDraws(ctx, rid, 0).McbRegistration(registration).DrawInput(body).Execute()
	require(err == nil && result.Length == 3, "AppendDraws", response, err)
}

func readJSON(ctx context.Context, client *mcb.APIClient) {
	draws, response, err := client.DrawsAPI.GetDraws(ctx, rid, 0).Var_([]string{"x"}).Start(-2).Execute()
	require(err == nil && draws.Start == 1 && draws.Count == 2, "GetDraws as JSON", response, err)
	x := draws.Draws["x"]
	require(x[0] == "Infinity" && x[1] == -2.0, "the draws in JSON", response, err)
	etag := response.Header.Get("ETag")
	_, response, err = client.DrawsAPI.GetDraws(ctx, rid, 0).Var_([]string{"x"}).Start(-2).IfNoneMatch(etag).Execute()
	require(response.StatusCode == 304, "GetDraws, unchanged", response, err)
}

// The generated code has one type an answer, that of JSON, and leaves the bytes of the other one in the response.
func readProtobuf(ctx context.Context, client *mcb.APIClient) {
	_, response, err := client.DrawsAPI.GetDraws(ctx, rid, 0).Start(2).Execute()
	require(response.StatusCode == 200, "GetDraws as protobuf", response, err)
	body, err := io.ReadAll(response.Body)
	require(err == nil && bytes.Contains(body, numbers(-2)), "the draws in protobuf", response, err)
}

func listRuns(ctx context.Context, client *mcb.APIClient) {
	page, response, err := client.RunsAPI.ListRuns(ctx).Limit(10).Execute()
	require(err == nil, "ListRuns", response, err)
	found := slices.ContainsFunc(page.Runs, func(run mcb.RunLine) bool { return run.Rid == rid && run.Chains <= 1 })
	require(found, "the run in the list", response, err)
}

func meetGap(ctx context.Context, client *mcb.APIClient) {
	_, response, err := client.DrawsAPI.AppendDraws(ctx, rid, 0).DrawInput(batch(9, 1)).Execute()
	require(err != nil && response.StatusCode == 409, "AppendDraws behind the end", response, err)
	problem, isTyped := err.(*mcb.GenericOpenAPIError).Model().(mcb.DrawGapOrDrawConflictProblem)
	require(isTyped && problem.Code == "draw_gap" && problem.Length == 3, "draw_gap with the length", response, err)
}

func meetMissing(ctx context.Context, client *mcb.APIClient) {
	_, response, err := client.RunsAPI.GetRun(ctx, "there-is-none").Execute()
	require(err != nil && response.StatusCode == 404 && codeOf(err) == "run_not_found", "GetRun of none", response, err)
}

func deleteRun(ctx context.Context, client *mcb.APIClient) {
	response, err := client.RunsAPI.DeleteRun(ctx, rid).Execute()
	require(err == nil && response.StatusCode == 204, "DeleteRun", response, err)
}

// codeOf is the code of any problem, whatever the operation.
func codeOf(err error) string {
	var problem struct{ Code string }
	if failure, isProblem := err.(*mcb.GenericOpenAPIError); isProblem {
		_ = json.Unmarshal(failure.Body(), &problem)
	}
	return problem.Code
}

func require(holds bool, what string, response *http.Response, err error) {
	if holds {
		return
	}
	status := "no answer"
	if response != nil {
		status = response.Status
	}
	fmt.Fprintf(os.Stderr, "%s: not as it should be: %s, error %v\n", what, status, err)
	os.Exit(1)
}

// batch holds draws of the scalar x.
func batch(start int64, values ...any) mcb.DrawInput {
	made := mcb.NewDrawInput(start)
	made.SetDraws(map[string][]any{"x": values})
	return *made
}

// numbers are bytes as protobuf has them.
func numbers(values ...float64) []byte {
	bytes, _ := binary.Append(nil, binary.LittleEndian, values)
	return bytes
}
