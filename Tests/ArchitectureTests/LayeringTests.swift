import Foundation
import Testing

/// The layers of ARCHITECTURE.md, bottom up; a target imports only targets of lower layers.
private let layers: [[String]] = [
    ["COpenBLAS", "CHDF5", "CPNG", "CJPEG", "CWebP", "CPango"],
    ["CKernels", "CStorage", "CText", "COneDNN"],
    ["TensorCore"],
    ["Autograd", "TensorIO"],
    ["NeuralNet", "Optimizers"],
    ["Models", "Adapters"],
    ["InContextEdit"],
    ["DiptychData"],
    ["Training"],
    ["diptych"],
]

private let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

private let layerOfTarget = Dictionary(
    uniqueKeysWithValues: layers.enumerated().flatMap { layer in layer.element.map { ($0, layer.offset) } })

/// A line that imports a module.
private struct Import {
    var target: String
    var file: String
    var module: String
}

private func imports(of target: String) throws -> [Import] {
    let folder = root.appending(path: "Sources/\(target)")
    let pattern = /^\s*(?:@\w+\s+)*(?:(?:public|package|internal|private|fileprivate)\s+)?import\s+(?:\w+\s+)?(\w+)/
    var found: [Import] = []
    for name in try FileManager.default.subpathsOfDirectory(atPath: folder.path) where name.hasSuffix(".swift") {
        let text = try String(contentsOf: folder.appending(path: name), encoding: .utf8)
        for line in text.split(separator: "\n") {
            if let match = line.firstMatch(of: pattern) {
                found.append(Import(target: target, file: name, module: String(match.1)))
            }
        }
    }
    return found
}

@Suite struct LayeringTests {
    @Test func everyTargetOfSourcesHasALayer() throws {
        let folders = try FileManager.default.contentsOfDirectory(atPath: root.appending(path: "Sources").path)
        for folder in folders { #expect(layerOfTarget[folder] != nil, "Sources/\(folder) is in no layer") }
        for target in layerOfTarget.keys { #expect(folders.contains(target), "the layer table names \(target)") }
    }

    @Test(arguments: layers.dropFirst(2).flatMap { $0 })
    func importsRunDownwards(target: String) throws {
        let own = try #require(layerOfTarget[target])
        let lines = try imports(of: target)
        #expect(!lines.isEmpty, "no import found in \(target): is the pattern still right?")
        for line in lines {
            guard let layer = layerOfTarget[line.module] else { continue }
            #expect(
                layer < own,
                "Sources/\(target)/\(line.file) imports \(line.module): layer \(own) may import layers below it only")
        }
    }

    @Test func packageDeclaresNoUpwardDependency() throws {
        let text = try String(contentsOf: root.appending(path: "Package.swift"), encoding: .utf8)
        for match in text.matches(of: /layer\(\s*"(\w+)",\s*\[([^\]]*)\]/) {
            let own = try #require(layerOfTarget[String(match.1)])
            for name in match.2.matches(of: /"(\w+)"/) {
                let layer = try #require(layerOfTarget[String(name.1)], "\(match.1) depends on \(name.1)")
                #expect(layer < own, "Package.swift: \(match.1) depends on \(name.1)")
            }
        }
    }

    @Test func theArchitecturePageNamesEveryTarget() throws {
        let page = try String(contentsOf: root.appending(path: "ARCHITECTURE.md"), encoding: .utf8)
        for target in layerOfTarget.keys { #expect(page.contains("`\(target)`"), "ARCHITECTURE.md misses \(target)") }
    }
}
