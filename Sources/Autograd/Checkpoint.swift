import TensorCore

/// Runs `body` without saving what its adjoints need, and runs it again during the backward pass: less memory for more
/// time (Chen et al. 2016, "Training deep nets with sublinear memory cost"). Gradients are identical, bit for bit unless
/// an input is also used outside: its shares are then added in another order.
///
/// `body` must be a function of `inputs` and of leaves (parameters) alone and give the same values both times. Side
/// outputs emitted inside pass through.
public func checkpoint(_ inputs: [Variable], _ body: @escaping ([Variable]) -> [Variable]) -> [Variable] {
    guard Tape.isRecording else { return body(inputs) }
    let collects = SideOutputs.isCollecting
    // The same both times, since a layer may skip work when nobody collects.
    let (results, side) = SideOutputs.collecting(if: collects) {
        withoutGradients { body(inputs.map { $0.detached() }) }
    }
    let values = results.map(\.value) + side.flatMap { $0.values.map(\.value) }
    let originals = inputs.map { ($0.value, $0.requiresGradient) }
    let node = Node(inputs: inputs, outputs: values) { upstream in
        let again = originals.map { Variable($0.0, requiresGradient: $0.1) }
        let (results, side) = SideOutputs.collecting(if: collects) { Tape.$isRecording.withValue(true) { body(again) } }
        let outputs = results + side.flatMap(\.values)
        precondition(outputs.count == upstream.count, "a checkpointed body gave another number of results")
        Tape.backward(from: zip(outputs, upstream).compactMap { output, gradient in gradient.map { (output, $0) } })
        return again.map { $0.gradient.map(Gradient.init) }
    }
    let outputs = values.enumerated().map { Variable($0.element, producer: node, outputIndex: $0.offset) }
    if collects {
        var next = results.count
        for entry in side {
            SideOutputs.emit(entry.name, Array(outputs[next..<next + entry.values.count]))
            next += entry.values.count
        }
    }
    return Array(outputs.prefix(results.count))
}
