import TensorCore

/// Runs `body` without saving what its adjoints need, and runs it again during the backward pass: less memory for more
/// time (Chen et al. 2016, "Training deep nets with sublinear memory cost"). Gradients are identical, bit for bit unless
/// an input is also used outside: its shares are then added in another order.
///
/// The second run computes what the adjoints read: a linear layer's result and a gated sum that nothing reads, such as
/// the end of a residual block, are left out.
///
/// `body` must be a function of `inputs` and of leaves (parameters) alone and give the same values both times. Side
/// outputs emitted inside pass through.
public func checkpoint(_ inputs: [Variable], _ body: @escaping ([Variable]) -> [Variable]) -> [Variable] {
    guard Tape.isRecording else { return body(inputs) }
    let collects = AuxiliaryOutputs.isCollecting
    // The same both times, since a layer may skip work when nobody collects.
    let (results, side) = AuxiliaryOutputs.collecting(if: collects) {
        withoutGradients { body(inputs.map { $0.detached() }) }
    }
    let values = results.map(\.value) + side.flatMap { $0.values.map(\.value) }
    let originals = inputs.map { ($0.value, $0.requiresGradient) }
    let node = Node(inputs: inputs, outputs: values.map { ($0.shape, $0.dtype) }) { upstream in
        let again = originals.map { Variable($0.0, requiresGradient: $0.1) }
        Tape.backward(from: rootsRunningAgain(again, collects: collects, upstream, body))
        return again.map { $0.gradient.map(Gradient.init) }
    }
    let outputs = values.enumerated().map { Variable($0.element, producer: node, outputIndex: $0.offset) }
    if collects {
        var next = results.count
        for entry in side {
            AuxiliaryOutputs.emit(entry.name, Array(outputs[next..<next + entry.values.count]))
            next += entry.values.count
        }
    }
    return Array(outputs.prefix(results.count))
}

/// Runs `body` again and gives the places where its results' gradients enter its tape. The results themselves go with
/// this call: values that were deferred and not asked for are then never computed, and hold nothing.
private func rootsRunningAgain(
    _ inputs: [Variable], collects: Bool, _ upstream: [Tensor?], _ body: ([Variable]) -> [Variable]
) -> [(destination: Node.Destination, gradient: Tensor)] {
    let (results, side) = AuxiliaryOutputs.collecting(if: collects) {
        Tape.$isRecording.withValue(true) { Tape.$isRunningAgain.withValue(true) { body(inputs) } }
    }
    let outputs = results + side.flatMap(\.values)
    precondition(outputs.count == upstream.count, "a checkpointed body gave another number of results")
    return zip(outputs, upstream).compactMap { output, gradient in
        output.requiresGradient ? gradient.map { (output.destination, $0) } : nil
    }
}
